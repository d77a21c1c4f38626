"""Backfills: identities chosen to be looked up once, behind scheduled work.

What is chosen is marked in `sync.roster.backfill_id`; an answer to any look-up of the identity clears the mark. So a backfill that is
cut off goes on with what is left, a scheduled pull does part of its work, and of two backfills that chose the same identity the later
has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from syrve.customers.identities import ENTITY, SHOWN, Identity, IdentityReader, stage_identities
from syrve.customers.plan import divide
from syrve.sources.errors import BadRow
from syrve.sources.rejects import ImportRejects
from syrve.sources.source import Chunk, as_source
from syrve.warehouse.clock import put_times_right
from syrve.warehouse.copy_text import json_text
from syrve.warehouse.database import Connection, Cursor, Warehouse, fetch_one, run_patiently, transaction
from syrve.warehouse.runs import Counts, TaskKey, add_counts
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging

STEP_IDENTITIES = 5_000
"""What one transaction of the choosing marks: scheduled pulls wait for it a moment at most."""
SOURCE = "backfill"
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BackfillChoice:
    """What a backfill is to look up: identities of `organization_ids`, chosen from those that are `visible` to the login.

    `frames` is a `Source` that names them, in rows as a roster import reads them; None is the whole roster. Of these it takes the ones
    without an answer since `not_refreshed_since`. Where that is None, it takes all that are named, but of a whole roster those that were
    never answered. `force` takes all. `source` is what the form calls the frames; `cap_per_minute` is kept for the record.
    """

    organization_ids: Sequence[str]
    visible: Sequence[str]
    source: str = "roster"
    frames: Any = None
    not_refreshed_since: datetime | None = None
    force: bool = False
    cap_per_minute: float | None = None

    def older_than(self, started_at: datetime) -> datetime:
        """Return the moment before which an answer is too old: never later than the start, so that choosing twice chooses nothing again."""
        if self.force or (self.frames is not None and self.not_refreshed_since is None):
            return started_at
        return min(self.not_refreshed_since or _NEVER, started_at)

    def criteria(self) -> dict[str, Any]:
        """Return what was asked for, without an identity."""
        since = self.not_refreshed_since
        return {
            "source": self.source,
            "organization_ids": list(self.organization_ids),
            "not_refreshed_since": since.isoformat() if since else None,
            "force": self.force,
        }


@dataclass(slots=True)
class Named:
    """What the frames of a choice came to: rows read, identities of the chosen organizations, rejects, and rows of other organizations."""

    rows: int = 0
    usable: int = 0
    added: int = 0
    rejected: int = 0
    elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """`lookups` are by organization; `shards` as of `syrve.customers.plan`, each with the `backfill_id`, which a dry run (None) lacks."""

    lookups: Mapping[str, int]
    named: Named
    backfill_id: int | None = None
    shards: list[dict[str, Any]] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many look-ups in all."""
        return sum(self.lookups.values())


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """How far the backfill of a run is; `looked_up` counts its own look-ups."""

    backfill_id: int
    requested: int
    looked_up: int
    changed: int
    not_found: int
    rejected: int
    failed: int


class Backfill:
    """Chooses and plans one backfill, under the run of `key`; `region` is that of national phone numbers."""

    def __init__(self, warehouse: Warehouse, choice: BackfillChoice, *, key: TaskKey, region: str) -> None:
        self._warehouse = warehouse
        self._choice = choice
        self._key = key
        only = choice.organization_ids[0] if len(choice.organization_ids) == 1 else None
        self._reader = IdentityReader(region=region, organization_id=only)
        self._rejects = ImportRejects(key, ENTITY, SHOWN)

    def estimate(self) -> BackfillPlan:
        """Count what would be chosen, and leave not a row changed.

        Raises `UnusableSource` if the frames cannot give identities, and `WarehouseError`.
        """
        with self._warehouse.connect() as connection:
            prepare_staging(connection)
            with transaction(connection, "count the backfill") as cursor:
                cursor.execute(
                    "set transaction read only"
                )  # the session's own staging tables may be written all the same
                cursor.execute("select now()")
                return self._count(cursor, self._choice.older_than(fetch_one(cursor)[0]))

    def plan(self, *, shard_size: int, max_shards: int) -> BackfillPlan:
        """Choose, mark and divide; a run that is planned again is divided again, and chooses nothing that was answered since it began.

        Raises `UnusableSource` if the frames cannot give identities, and `WarehouseError`; what was marked before stays.
        """
        named = Named()
        with self._warehouse.connect() as connection:
            prepare_staging(connection)
            with transaction(connection, "put times right") as cursor:
                put_times_right(cursor)
            with transaction(connection, "open the backfill") as cursor:
                backfill_id, started_at, is_planned = self._open(cursor)
            if not is_planned:
                values = {"backfill_id": backfill_id, "not_refreshed_since": self._choice.older_than(started_at)}
                named = self._choose(connection, values)
                with transaction(connection, "note what the backfill chose") as cursor:
                    cursor.execute(sql("backfill/planned.sql"), {"backfill_id": backfill_id, "named": named.usable})
            with transaction(connection, "count what the backfill has left") as cursor:
                cursor.execute(sql("backfill/left.sql"), {"backfill_id": backfill_id})
                left = {organization_id: int(count) for organization_id, count in cursor.fetchall()}
        shards = divide(left, shard_size=shard_size, max_shards=max_shards, limit=None)
        return BackfillPlan(left, named, backfill_id, [shard | {"backfill_id": backfill_id} for shard in shards])

    def _open(self, cursor: Cursor) -> tuple[int, datetime, bool]:
        criteria = json_text(self._choice.criteria())
        values = {"run_id": self._key.run_id, "criteria": criteria, "cap_per_minute": self._choice.cap_per_minute}
        cursor.execute(sql("backfill/open.sql"), values)
        backfill_id, started_at, is_planned = fetch_one(cursor)
        return backfill_id, started_at, is_planned

    def _count(self, cursor: Cursor, older_than: datetime) -> BackfillPlan:
        named = Named()
        values: dict[str, Any] = {"not_refreshed_since": older_than}
        if self._choice.frames is None:
            values["organization_ids"] = list(self._choice.organization_ids)
            cursor.execute(sql("roster/choose_count.sql"), values)
        else:
            for chunk in as_source(self._choice.frames).chunks(self._reader.columns):
                stage_identities(cursor, self._read(chunk, named))
                self._rejects.drop()
            cursor.execute(sql("roster/choose_known.sql"))
            cursor.execute(sql("roster/choose_named_count.sql"), values)
        return BackfillPlan({organization_id: int(count) for organization_id, count in cursor.fetchall()}, named)

    def _choose(self, connection: Connection, values: Mapping[str, Any]) -> Named:
        named = Named()
        if self._choice.frames is None:
            for organization_id in self._choice.organization_ids:
                _choose_roster(connection, organization_id, values)
            return named
        for chunk in as_source(self._choice.frames).chunks(self._reader.columns):
            choose = partial(self._choose_rows, self._read(chunk, named), values)
            named.added += run_patiently(connection, "choose for the backfill", choose)
            self._rejects.drop()
        return named

    def _choose_rows(self, identities: list[Identity], values: Mapping[str, Any], cursor: Cursor) -> int:
        stage_identities(cursor, identities)
        cursor.execute(sql("roster/choose_known.sql"))
        cursor.execute(sql("roster/import.sql"), {"source_name": SOURCE})
        added: int = fetch_one(cursor)[0]
        cursor.execute(sql("roster/choose_named.sql"), values)
        cursor.execute(sql("backfill/add_chosen.sql"), dict(values) | {"chosen": fetch_one(cursor)[0]})
        found, rejected = len(identities), self._rejects.write(cursor, keep=True)
        counts = Counts(found + rejected, found, changed=added, unchanged=found - added, rejected=rejected)
        add_counts(cursor, self._key, counts)
        return added

    def _read(self, chunk: Chunk, named: Named) -> list[Identity]:
        """Read a chunk and sort its rows by organization: one that the login does not see is a reject, one not asked for is left out."""
        found: list[Identity] = []
        visible, wanted = set(self._choice.visible), set(self._choice.organization_ids)
        for bad in chunk.bad:
            self._rejects.line(bad)
        for row in chunk.rows:
            try:
                one = self._reader.identity(row)
                if one.organization_id not in visible:
                    raise BadRow("organization_id is none that the api login sees")
            except BadRow as problem:
                self._rejects.row(row, str(problem), self._reader.organization_of(row))
                continue
            if one.organization_id in wanted:
                found.append(one)
        rows, rejected = len(chunk.rows) + len(chunk.bad), self._rejects.count
        named.rows += rows
        named.usable += len(found)
        named.rejected += rejected
        named.elsewhere = named.rows - named.usable - named.rejected
        return found


def finish_backfill(warehouse: Warehouse, run_id: str) -> tuple[int, int] | None:
    """End the backfill of a run and hand what is left of it to the scheduled pull.

    Returns its number and how many identities were handed over; None if the run has none, as after a dry run.
    """
    with warehouse.connect() as connection:
        return run_patiently(connection, "finish the backfill", partial(_finish, run_id))


def read_progress(warehouse: Warehouse, run_id: str, task: str) -> BackfillProgress | None:
    """Read how far the backfill of a run is; `task` is that of the pull, as in `sync.run`. None if the run has no backfill."""
    with warehouse.transaction("read how far the backfill is") as cursor:
        cursor.execute(sql("backfill/progress.sql"), {"run_id": run_id, "task": task})
        row = cursor.fetchone()
        return BackfillProgress(*row) if row else None


def _choose_roster(connection: Connection, organization_id: str, values: Mapping[str, Any]) -> None:
    after = ("", "")
    while True:
        at = {"organization_id": organization_id, "after_kind": after[0], "after_value": after[1]}
        step = partial(_choose_step, dict(values) | at | {"step_limit": STEP_IDENTITIES})
        reached, after_this = run_patiently(connection, "choose for the backfill", step)
        if reached < STEP_IDENTITIES:
            return
        after = after_this


def _choose_step(values: Mapping[str, Any], cursor: Cursor) -> tuple[int, tuple[str, str]]:
    cursor.execute(sql("roster/choose.sql"), values)
    reached, chosen, kind, value = fetch_one(cursor)
    cursor.execute(sql("backfill/add_chosen.sql"), dict(values) | {"chosen": chosen})
    return reached, (kind, value)


def _finish(run_id: str, cursor: Cursor) -> tuple[int, int] | None:
    cursor.execute(sql("backfill/finish.sql"), {"run_id": run_id})
    row = cursor.fetchone()
    return (row[0], row[1]) if row else None
