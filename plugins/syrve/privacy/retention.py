"""Deletes what is older than its retention, and adds partitions ahead."""

from __future__ import annotations

from collections.abc import Mapping

from syrve.crm.retention import PushRetention, prune_push
from syrve.privacy.errors import UnusableRequest
from syrve.warehouse.database import Warehouse, fetch_one, transaction
from syrve.warehouse.sql_files import sql

KEEP_DAYS = {
    "runs": 400,
    "resolved_rejects": 90,
    "open_rejects": 365,
    "backfills": 365,
    "push_plans": 30,
    "push_attempts": 365,
    "unanswered_erasures": 30,
    "signals": 30,
    "notified_movements": 365,
    "breaker_counts": 90,
    "breakers": 365,
    "check_results": 365,
    "alerts": 365,
    "notifications": 365,
    "audit": 730,
    "reports": 400,
    "exports": 30,
}
"""Days that rows and files are kept, by kind. Not among them: the mirror, history, the ledger, findings, approvals, receipts."""

LEAST_DAYS = 7
LEAST_DAYS_OF_THE_AUDIT = 365
BATCH_ROWS = 10_000
_STATEMENTS = (
    "runs",
    "resolved_rejects",
    "open_rejects",
    "backfills",
    "unanswered_erasures",
    "signals",
    "notified_movements",
    "breaker_counts",
    "breakers",
    "check_results",
    "alerts",
    "notifications",
    "audit",
)


def keep_days(given: Mapping[str, int]) -> dict[str, int]:
    """Return the retention with what is given in place of the defaults; raise `UnusableRequest` for unknown kinds and too few days."""
    unknown = sorted(set(given) - set(KEEP_DAYS))
    if unknown:
        raise UnusableRequest(f"retention: {', '.join(unknown)} is unknown; known are {', '.join(KEEP_DAYS)}")
    short = sorted(kind for kind, days in given.items() if int(days) < LEAST_DAYS)
    if short:
        raise UnusableRequest(f"retention: {', '.join(short)} must be kept at least {LEAST_DAYS} days")
    if int(given.get("audit", LEAST_DAYS_OF_THE_AUDIT)) < LEAST_DAYS_OF_THE_AUDIT:
        raise UnusableRequest(f"retention: audit must be kept at least {LEAST_DAYS_OF_THE_AUDIT} days")
    return KEEP_DAYS | {kind: int(days) for kind, days in given.items()}


def prune(warehouse: Warehouse, given: Mapping[str, int] | None = None) -> dict[str, int]:
    """Delete what is older than its retention and return rows by kind; raises `UnusableRequest` and `WarehouseError`."""
    kept = keep_days(given or {})
    removed = {}
    with warehouse.connect() as connection:
        for kind in _STATEMENTS:
            removed[kind] = 0
            while True:
                with transaction(connection, f"prune {kind}") as cursor:
                    cursor.execute(sql(f"retention/{kind}.sql"), {"days": kept[kind], "batch_rows": BATCH_ROWS})
                    deleted = int(fetch_one(cursor)[0])
                removed[kind] += deleted
                if deleted < BATCH_ROWS:
                    break
    pruned = prune_push(warehouse, PushRetention(plan_days=kept["push_plans"], attempt_days=kept["push_attempts"]))
    return removed | {
        "push_plans": pruned.plan_rows,
        "push_attempts": pruned.attempts + pruned.plans + pruned.conflicts,
    }


def add_partitions(warehouse: Warehouse) -> int:
    """Add the history's partitions of the next years; returns how many were missing."""
    with warehouse.transaction("add partitions") as cursor:
        cursor.execute("select syrve.add_partitions()")
        return int(fetch_one(cursor)[0])
