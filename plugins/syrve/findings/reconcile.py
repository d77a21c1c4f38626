"""Evaluates the rules for organizations as of a moment, and stores the changes.

What is found depends on what happened by then (`occurred_at`) and on the thresholds, not on when or in which order moments are evaluated.
A past moment never disturbs what a later one established; `wallet.finding` always shows the newest.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg2.errors

from syrve.findings.errors import FindingsError, MalformedRule, UnusableThresholds
from syrve.findings.rules import COLUMNS, Rule, all_rules
from syrve.findings.thresholds import Limits, Thresholds
from syrve.warehouse.copy_text import json_text
from syrve.warehouse.database import Connection, Cursor, Warehouse, fetch_one, transaction
from syrve.warehouse.errors import WarehouseError
from syrve.warehouse.locks import alone
from syrve.warehouse.sql_files import sql

log = logging.getLogger(__name__)

LOCK_WAIT_SECONDS = 600.0
"""How long to wait for another run at the same organization."""
_LOCK_CLASS = "syrve.findings"


@dataclass(slots=True)
class Reconciliation:
    """The outcome, by rule: findings that are open as of the moment, and those that opened, changed and closed; `seconds` in all."""

    open: Counter[str] = field(default_factory=Counter)
    opened: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    closed: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def written(self) -> int:
        """How many findings opened, changed or closed."""
        return sum(count.total() for count in (self.opened, self.changed, self.closed))

    def add(self, other: Reconciliation) -> None:
        """Add another's counts to these."""
        for name in ("open", "opened", "changed", "closed"):
            getattr(self, name).update(getattr(other, name))
        self.seconds += other.seconds


def reconcile(
    warehouse: Warehouse,
    *,
    as_of: datetime,
    organization_ids: Sequence[str],
    thresholds: Thresholds,
    run_id: str,
    rules: Sequence[Rule] | None = None,
) -> Reconciliation:
    """Evaluate the rules for each organization as of a moment, one transaction per organization; safe to repeat, also concurrently.

    An organization that fails keeps what it had, and the others go on; then the first error is raised, with the others named. Raises
    `FindingsError` and `WarehouseError`.
    """
    rules = all_rules() if rules is None else rules
    _check(as_of, organization_ids, thresholds, rules)
    total = Reconciliation()
    failed: dict[str, FindingsError | WarehouseError] = {}
    for organization_id in organization_ids:
        try:
            total.add(_one(warehouse, as_of, organization_id, thresholds.of(organization_id), run_id, rules))
        except (FindingsError, WarehouseError) as error:
            failed[organization_id] = error
    if failed:
        first, *others = failed.values()
        if others:
            first.add_note(
                f"{len(failed)} of {len(organization_ids)} organizations failed: {', '.join(sorted(failed))}"
            )
        raise first
    return total


def _check(as_of: datetime, organization_ids: Sequence[str], thresholds: Thresholds, rules: Sequence[Rule]) -> None:
    if as_of.tzinfo is None:
        raise FindingsError("as_of must have a time zone")
    names = {rule.name for rule in rules}
    for organization_id in organization_ids:
        for name in thresholds.of(organization_id).rules_off:
            if name not in names:
                raise UnusableThresholds(f"rules_off: there is no rule {name!r}; there are {', '.join(sorted(names))}")


def _one(
    warehouse: Warehouse,
    as_of: datetime,
    organization_id: str,
    limits: Limits,
    run_id: str,
    rules: Sequence[Rule],
) -> Reconciliation:
    started = time.monotonic()
    as_of = as_of.astimezone(UTC)
    with warehouse.connect() as connection:
        with transaction(connection, "prepare staging") as cursor:
            cursor.execute(sql("reconcile/staging.sql"))
        with _alone(connection, organization_id):
            started_at = _evaluate(connection, as_of, organization_id, limits, rules)
            with transaction(connection, "write findings") as cursor:
                result = _write(cursor, as_of, organization_id, limits, run_id, started_at)
    result.seconds = time.monotonic() - started
    return result


def _alone(connection: Connection, organization_id: str) -> AbstractContextManager[None]:
    """Keep every other run off this organization."""
    return alone(
        connection,
        f"{_LOCK_CLASS}.{organization_id}",
        wait_seconds=LOCK_WAIT_SECONDS,
        place="this organization",
        busy=f"another run has been at the findings of {organization_id} for {LOCK_WAIT_SECONDS:.0f} seconds; try again",
    )


def _evaluate(
    connection: Connection, as_of: datetime, organization_id: str, limits: Limits, rules: Sequence[Rule]
) -> datetime:
    """Stage what all rules find in one snapshot of the ledger; returns when it was taken."""
    values = {"as_of": as_of, "organization_id": organization_id} | limits.values()
    with transaction(connection, "look at the clock") as cursor:
        cursor.execute("select clock_timestamp()")
        started_at: datetime = fetch_one(cursor)[0]
    with transaction(connection, "evaluate rules") as cursor:
        cursor.execute("set transaction isolation level repeatable read")
        cursor.execute(sql("reconcile/look_up.sql"))
        cursor.execute("truncate staging_finding")
        cursor.execute("select wallet.follow_orders(%s)", (organization_id,))
        for rule in rules:
            if rule.name not in limits.rules_off:
                began = time.monotonic()
                _stage(cursor, rule, values | {"severity": rule.severity})
                log.debug("%s took %.2f s", rule.name, time.monotonic() - began)
        cursor.execute("analyze staging_finding")
    return started_at


def _stage(cursor: Cursor, rule: Rule, values: Mapping[str, Any]) -> None:
    columns = ", ".join(COLUMNS)
    found = ", ".join(f"found.{name}" for name in COLUMNS)
    statement = (
        f"insert into staging_finding (rule, {columns}) select %(rule_name)s, {found} from (\n{rule.query}\n) as found"  # noqa: S608
    )
    try:
        cursor.execute(statement, dict(values) | {"rule_name": rule.name})
    except psycopg2.errors.UniqueViolation:
        raise MalformedRule(f"sql/findings/{rule.name}.sql: it gives a subject twice") from None
    except (psycopg2.ProgrammingError, psycopg2.DataError, psycopg2.IntegrityError) as error:
        if isinstance(error, psycopg2.errors.InsufficientPrivilege):
            raise
        raise MalformedRule(
            f"sql/findings/{rule.name}.sql can't be evaluated: {type(error).__name__} ({error.pgcode}); correct it, or apply the migrations"
        ) from None


def _write(
    cursor: Cursor, as_of: datetime, organization_id: str, limits: Limits, run_id: str, started_at: datetime
) -> Reconciliation:
    values: dict[str, Any] = {
        "as_of": as_of,
        "organization_id": organization_id,
        "run_id": run_id,
        "started_at": started_at,
        "thresholds": json_text(limits.as_json()),
    }
    cursor.execute(sql("reconcile/evaluation.sql"), values)
    values |= dict(zip(("evaluated_at", "thresholds_changed", "next_as_of"), fetch_one(cursor), strict=True))
    for step in ("known", "changes", "versions", "findings"):
        cursor.execute(sql(f"reconcile/{step}.sql"), values)
    for moment in (as_of, values["next_as_of"]):
        if moment is not None:
            cursor.execute(sql("reconcile/count.sql"), values | {"counted_at": moment})
    return _result(cursor)


def _result(cursor: Cursor) -> Reconciliation:
    result = Reconciliation()
    cursor.execute("select rule, count(*) from staging_finding group by rule")
    result.open.update(dict(cursor.fetchall()))
    cursor.execute("select kind, rule, count(*) from staging_change group by kind, rule")
    for kind, rule, count in cursor.fetchall():
        getattr(result, kind)[rule] += count
    return result
