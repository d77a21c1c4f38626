"""Plans a push: computes, in the database, what each customer of the CRM needs, and stores it without sending anything."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from syrve.api.dialects import Capabilities
from syrve.crm.push_settings import PushSettings
from syrve.customers.phones import is_valid_e164, to_e164
from syrve.warehouse.copy_text import copy_line, copy_lines
from syrve.warehouse.database import Connection, Cursor, Warehouse, fetch_one, transaction
from syrve.warehouse.runs import Counts, TaskKey, add_counts
from syrve.warehouse.sql_files import sql

PLAN_LOCK_KEY = 0x53795F706C616E  # "Sy_plan"
PHONE_CHUNK_ROWS = 20_000
COUNTS = (
    "considered",
    "creates",
    "updates",
    "memberships",
    "conflicts",
    "asking",
    "refused",
    "waiting",
    "agreed",
    "held_back",
)


@dataclass(frozen=True, slots=True)
class NewlyRefused:
    """How many rows of an organization were refused for one reason that they were not refused for before."""

    organization_id: str
    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A field that the plan would change for too many customers of an organization, and the breaker by which a person decides."""

    breaker_id: int
    organization_id: str
    field: str
    customers: int


@dataclass(frozen=True, slots=True)
class PushPlan:
    """What a plan came to; the columns of `crm.push_plan_summary`, and how many customers it sends by organization."""

    plan_id: int
    considered: int = 0
    creates: int = 0
    updates: int = 0
    memberships: int = 0
    conflicts: int = 0
    asking: int = 0
    refused: int = 0
    waiting: int = 0
    agreed: int = 0
    held_back: int = 0
    fields: dict[str, int] = field(default_factory=dict)
    customers: dict[str, int] = field(default_factory=dict)
    newly_refused: tuple[NewlyRefused, ...] = ()
    held: tuple[HeldBack, ...] = ()
    unshown: int = 0

    @property
    def size(self) -> int:
        """How many customers the plan sends."""
        return sum(self.customers.values())

    def summary(self) -> str:
        """Say the plan in one line: counts and field names, no values."""
        fields = ", ".join(f"{name} {count:,}" for name, count in sorted(self.fields.items())) or "none"
        return (
            f"plan {self.plan_id}: {self.size:,} customer(s) to send: {self.creates:,} creates, {self.updates:,} updates, "
            f"{self.memberships:,} membership changes; {self.conflicts:,} conflicts ({self.asking:,} wait for a decision), "
            f"{self.refused:,} refused, {self.waiting:,} wait for a look-up, {self.agreed:,} agreed without a call, "
            f"{self.held_back:,} held back; fields: {fields}"
        )


@dataclass(frozen=True, slots=True)
class PlanScope:
    """What is planned: organizations, and at most `limit` customers (None: all)."""

    organization_ids: tuple[str, ...]
    limit: int | None = None
    is_dry_run: bool = False
    release_blocked: bool = False


class PushPlanner:
    """Makes plans of one account; `capabilities` and `region` are those of its connection."""

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        key: TaskKey,
        capabilities: Capabilities,
        region: str,
        settings: PushSettings | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._settings = settings or PushSettings()
        self._key = key
        self._capabilities = capabilities
        self._region = region

    def run(self, scope: PlanScope) -> PushPlan:
        """Plan, and return the plan's counts; raises `WarehouseError`.

        Rows that are equal on both sides become agreed; nothing is sent.
        """
        values = {
            "run_id": self._key.run_id,
            "is_dry_run": scope.is_dry_run,
            "organization_ids": list(scope.organization_ids),
            "region": self._region,
            "clears_fields": self._capabilities.clears_fields,
            "removes_category": self._capabilities.removes_category,
            "sends_order_status": self._capabilities.sends_order_status,
            "most_customers": scope.limit,
            "in_flight_seconds": self._settings.in_flight_seconds,
            "max_changed_share": self._settings.breaker.share,
            "max_changed_at_least": self._settings.breaker.at_least,
        }
        with self._warehouse.connect() as connection:
            with transaction(connection, "prepare the push plan") as cursor:
                cursor.execute(sql("crm/plan/staging.sql"))
            with _one_at_a_time(connection, "link the rows of the CRM") as cursor:
                unshown = self._link(cursor, scope, values)
            with _one_at_a_time(connection, "join the rows of the CRM") as cursor:
                cursor.execute(sql("crm/plan/joins.sql"), values)
            with _one_at_a_time(connection, "plan the push") as cursor:
                return self._plan(cursor, values, unshown)

    def _link(self, cursor: Cursor, scope: PlanScope, values: dict[str, Any]) -> int:
        """Find the rows that may need a push and whom they are about; return how many pushes a look-up did not show.

        Who a row is about is written in a separate transaction, before the comparison: so a transaction that holds a row of
        `crm.customer` never waits for a comparison that waits for it.
        """
        if scope.release_blocked:
            cursor.execute(sql("crm/release.sql"), values)
        cursor.execute(sql("crm/plan/tidy.sql"))
        cursor.execute(sql("crm/plan/read_back.sql"), values)
        _, unshown = fetch_one(cursor)
        cursor.execute(sql("crm/plan/candidates.sql"), values)
        cursor.execute("analyze staging_candidate")
        self._read_phones(cursor)
        for step in ("remember", "links"):
            cursor.execute(sql(f"crm/plan/{step}.sql"), values)
        return int(unshown)

    def _plan(self, cursor: Cursor, values: dict[str, Any], unshown: int) -> PushPlan:
        cursor.execute("select nextval('crm.push_plan_id')")
        plan_id: int = fetch_one(cursor)[0]
        values = values | {"plan_id": plan_id}
        cursor.execute(sql("crm/plan/subjects.sql"), values)
        cursor.execute(sql("crm/plan/erased.sql"))
        cursor.execute("analyze staging_subject")
        cursor.execute(sql("crm/plan/same.sql"), values)
        cursor.execute("analyze staging_same")
        cursor.execute(sql("crm/plan/changes.sql"), values)
        self._refuse_invalid_phones(cursor)
        for step in ("unsupported", "mass", "hold_back"):
            cursor.execute(sql(f"crm/plan/{step}.sql"), values)
        held = tuple(HeldBack(*row) for row in cursor.fetchall())
        cursor.execute(sql("crm/plan/phones_turn.sql"))
        cursor.execute("analyze staging_field_change")
        cursor.execute(sql("crm/plan/blocked.sql"), values)
        newly_refused = tuple(NewlyRefused(*row) for row in cursor.fetchall())
        for step in ("agree", "conflicts", "remote_changes", "rows", "settle", "summary"):
            cursor.execute(sql(f"crm/plan/{step}.sql"), values)
        *counts, fields = fetch_one(cursor)
        plan = PushPlan(
            plan_id,
            **{name: int(count) for name, count in zip(COUNTS, counts, strict=True)},
            fields={name: int(count) for name, count in fields.items()},
            customers=customers_of_plan(cursor, plan_id),
            newly_refused=newly_refused,
            held=held,
            unshown=unshown,
        )
        add_counts(cursor, self._key, Counts(requested=plan.considered, found=plan.size, rejected=plan.refused))
        return plan

    def _refuse_invalid_phones(self, cursor: Cursor) -> None:
        """Refuse rows that would create a customer under a number that cannot exist, or give them one."""
        cursor.execute(sql("crm/plan/phones_sent.sql"))
        invalid = [crm_id for crm_id, phone in cursor.fetchall() if not is_valid_e164(phone)]
        if invalid:
            cursor.execute(sql("crm/plan/phones_invalid.sql"), {"crm_ids": invalid})

    def _read_phones(self, cursor: Cursor) -> None:
        """Read the candidates' new phones as E.164 into the staging table, a chunk at a time."""
        reader = cursor.connection.cursor(name="phones_unread")
        reader.itersize = PHONE_CHUNK_ROWS
        reader.execute(sql("crm/plan/phones_unread.sql"), {"region": self._region})
        while rows := reader.fetchmany(PHONE_CHUNK_ROWS):
            lines = [copy_line((crm_id, to_e164(phone, self._region))) for crm_id, phone in rows]
            copy_lines(cursor, "staging_phone", ("crm_id", "phone"), lines)
        reader.close()
        cursor.execute("analyze staging_phone")


@contextmanager
def _one_at_a_time(connection: Connection, doing: str) -> Iterator[Cursor]:
    """A transaction during which no other plan is in such a transaction."""
    with transaction(connection, doing) as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", (PLAN_LOCK_KEY,))
        yield cursor


def shards_of(plan: PushPlan, *, shard_size: int, max_shards: int) -> list[dict[str, Any]]:
    """Divide a plan into `{"plan_id", "organization_id", "shard"}`: each sends any open rows of its organization."""
    shards: list[dict[str, Any]] = []
    for organization_id, count in sorted(plan.customers.items()):
        number = max(1, min(max_shards, math.ceil(count / max(1, shard_size))))
        shards += [
            {"plan_id": plan.plan_id, "organization_id": organization_id, "shard": shard} for shard in range(number)
        ]
    return shards


def customers_of_plan(cursor: Cursor, plan_id: int) -> dict[str, int]:
    """Return how many customers a plan sends, by organization."""
    cursor.execute(sql("crm/plan/customers.sql"), {"plan_id": plan_id})
    return {organization_id: int(count) for organization_id, count in cursor.fetchall()}


def organizations_unseen(warehouse: Warehouse, visible: Sequence[str], *, most: int) -> list[str]:
    """Return the first `most` organizations that rows of `crm.customer` name and the api login does not see."""
    with warehouse.transaction("list the organizations of the CRM") as cursor:
        cursor.execute(sql("crm/plan/organizations_unseen.sql"), {"organization_ids": list(visible), "most": most})
        return [organization_id for (organization_id,) in cursor.fetchall()]
