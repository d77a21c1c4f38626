"""Writes one batch of look-up results: data, history, roster, rejects and counts in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import psycopg2.errors

from syrve.api.bulk import LookupResult
from syrve.api.errors import MalformedAnswer, NotFound, Rejected, UnreadableAnswer
from syrve.api.models import Customer, Lookup
from syrve.customers.children import (
    absent_lists,
    copy_new_children,
    merge_children,
    remove_orphans,
    stage_children,
    tables_of,
)
from syrve.customers.doubts import find_doubts, reject_doubted
from syrve.customers.erased import leave_erased_out
from syrve.customers.holding import hold_back, note_changed_fields
from syrve.customers.pull_settings import PullSettings
from syrve.customers.records import (
    CUSTOMER_COLUMNS,
    CustomerRecord,
    absent_lines,
    customer_lines,
    customer_record,
    digest_lines,
)
from syrve.warehouse.copy_text import copy_line, copy_lines
from syrve.warehouse.database import Cursor, fetch_one
from syrve.warehouse.errors import WarehouseUnavailable
from syrve.warehouse.runs import Counts, Reject, TaskKey, add_rejects
from syrve.warehouse.sql_files import sql

LOOKUP_COLUMNS = (
    *("organization_id", "identity_kind", "identity_value", "outcome", "customer_id", "checked_at"),
    "last_order_at",
)
_ABSENT_COLUMNS = ("organization_id", "customer_id", "list")
_DIGEST_COLUMNS = ("organization_id", "customer_id", "digest", "fetched_at")


@dataclass(slots=True)
class Batch:
    """Look-up results made ready for the database; a customer who was found twice is there once, by the later answer."""

    lookups: list[tuple[Lookup, str, str | None, datetime]] = field(default_factory=list)
    customers: dict[tuple[str, str], CustomerRecord] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    changed_fields: dict[str, int] = field(default_factory=dict)
    newly_held: int = 0


def prepare_batch(results: Iterable[LookupResult], region: str) -> Batch:
    """Sort results into customers, rejects and counts; no I/O."""
    batch = Batch()
    outcomes: Counter[str] = Counter()
    for result in results:
        lookup, customer, at = result.lookup, result.customer, result.received_at
        outcome = _outcome(result)
        outcomes[outcome] += 1
        if customer is None:
            batch.lookups.append((lookup, outcome, None, at))
            batch.rejects.extend(_rejects_of_failure(result))
            continue
        batch.lookups.append((lookup, outcome, customer.customer_id, at))
        if customer.problems:
            batch.counts.cleaned += len(customer.problems)
            batch.rejects.extend(_rejects_of_fields(lookup, customer))
        key = (lookup.organization_id, customer.customer_id)
        known = batch.customers.get(key)
        if known is None or known.fetched_at < at:
            batch.customers[key] = customer_record(key[0], customer, fetched_at=at, region=region)
    counts = batch.counts
    counts.requested = outcomes.total()
    counts.found, counts.not_found = outcomes["found"], outcomes["not_found"]
    counts.rejected, counts.failed = outcomes["rejected"], outcomes["failed"]
    return batch


def merge_batch(
    cursor: Cursor, batch: Batch, *, lease: int, key: TaskKey, region: str, settings: PullSettings
) -> Counts:
    """Merge a batch inside the caller's transaction and return its counts, `changed` and `unchanged` included.

    Needs the staging tables on the cursor's connection. Raises `WarehouseError` or the driver's own error.
    """
    leave_erased_out(cursor, batch, region=region)
    doubts = find_doubts(cursor, batch)
    copy_lines(cursor, "staging_lookup", LOOKUP_COLUMNS, _lookup_lines(batch))
    hold_back(cursor, batch, key, settings.breaker, doubts)
    reject_doubted(cursor, batch, key, doubts)
    differing = merge_customers(cursor, batch, region=region)
    # First of these: an id that a phone has just left may itself have been looked up in this batch, and its miss must count.
    cursor.execute(sql("roster/moved.sql"))
    cursor.execute(sql("merge/deleted_customer.sql"))
    deleted: int = fetch_one(cursor)[0]
    _note_absent_lists(cursor, batch)
    add_rejects(cursor, key.run_id, batch.rejects)
    cursor.execute(sql("merge/reject_resolved.sql"))
    finish_lookups(cursor, lease=lease, settings=settings)
    cursor.execute(sql("roster/cover.sql"))
    note_changed_fields(cursor, batch, key, settings.breaker, batch.changed_fields)
    counts = batch.counts
    counts.changed = differing + deleted
    counts.changed_tables |= {"syrve.customer"} if deleted else set()
    counts.unchanged = len(batch.customers) - differing
    return counts


def finish_lookups(cursor: Cursor, *, lease: int, settings: PullSettings) -> None:
    """Store how the look-ups of `staging_lookup` ended, what they teach, and when the next are due."""
    values = {
        "lease": lease,
        "lease_seconds": settings.lease_seconds,
        "min_interval_seconds": settings.min_interval_seconds,
        "max_age_seconds": settings.max_age_seconds,
        "watch_seconds": settings.watch_seconds,
        "crm_weight": settings.crm_weight,
        "gone_weight": settings.gone_weight,
        "failed_seconds": settings.failed_seconds,
    }
    cursor.execute(sql("roster/finish.sql"), values)


def merge_customers(cursor: Cursor, batch: Batch, *, region: str) -> int:
    """Bring mirror and history into step with the customers of a batch and return how many differed; unchanged ones cost no row version.

    Digests go first. New customers are copied straight into the mirror, known ones that differ go by way of staging.
    """
    copy_lines(cursor, "staging_digest", _DIGEST_COLUMNS, digest_lines(batch.customers.values()))
    copy_lines(cursor, "staging_absent", _ABSENT_COLUMNS, absent_lines(batch.customers.values()))
    for _ in range(
        2 * len(batch.customers) + 1
    ):  # each round that fails leaves at least one new customer, or one orphan, less
        cursor.execute("savepoint merge_customers")
        cursor.execute(sql("roster/lock.sql"))
        cursor.execute(sql("merge/differing.sql"))
        differing = [(batch.customers[each[0], each[1]], each[2]) for each in cursor]
        try:
            _copy_new(cursor, _in_key_order(record for record, is_new in differing if is_new), region)
        except psycopg2.errors.UniqueViolation as refusal:
            cursor.execute("rollback to savepoint merge_customers")
            if refusal.diag.table_name != "customer":
                _remove_orphans(cursor)
            # Else another transaction has just written one of them: now that it is over, the customer is a known one.
            continue
        changed = [record for record, is_new in differing if not is_new]
        new = [record for record, is_new in differing if is_new]
        batch.counts.changed_tables |= {"syrve.customer"} | tables_of(new) if new else set()
        return len(differing) - len(changed) + _merge_changed(cursor, batch, changed, region)
    raise WarehouseUnavailable("merge customers: others keep writing the same new customers; try again")


def _lookup_lines(batch: Batch) -> Iterator[str]:
    for lookup, outcome, customer_id, at in batch.lookups:
        record = batch.customers.get((lookup.organization_id, customer_id or ""))
        last_order_at = record.customer.last_order_at if record else None
        yield copy_line((lookup.organization_id, lookup.kind, lookup.value, outcome, customer_id, at, last_order_at))


def _remove_orphans(cursor: Cursor) -> None:
    cursor.execute(sql("merge/differing.sql"))
    remove_orphans(cursor)
    cursor.execute("delete from staging_merged")


def _copy_new(cursor: Cursor, records: Sequence[CustomerRecord], region: str) -> None:
    """Copy customers that the mirror does not have; in key order, so that two batches never wait for each other in a circle."""
    began = ("first_seen_at", "changed_at", "profile_changed_at")
    copy_lines(cursor, "syrve.customer", (*CUSTOMER_COLUMNS, *began), customer_lines(records, region, times=len(began)))
    copy_new_children(cursor, records)


def _note_absent_lists(cursor: Cursor, batch: Batch) -> None:
    if any(record.customer.absent for record in batch.customers.values()):
        for lookup, name in absent_lists(cursor):
            batch.rejects.append(_reject(lookup, "field", f"{name} is missing; what the mirror has stays", None))


def _merge_changed(cursor: Cursor, batch: Batch, records: Sequence[CustomerRecord], region: str) -> int:
    if not records:
        return 0
    copy_lines(cursor, "staging_customer", CUSTOMER_COLUMNS, customer_lines(records, region))
    stage_children(cursor, records)
    cursor.execute(sql("merge/changed_fields.sql"))
    batch.changed_fields = dict(cursor.fetchall())
    cursor.execute(sql("merge/customer.sql"))
    written: int = cursor.rowcount
    batch.counts.changed_tables |= {"syrve.customer"} if written else set()
    batch.counts.changed_tables |= merge_children(cursor)
    return written


def _in_key_order(records: Iterator[CustomerRecord]) -> list[CustomerRecord]:
    return sorted(records, key=lambda record: record.key)


def _outcome(result: LookupResult) -> str:
    if result.customer is not None:
        return "found"
    if isinstance(result.error, NotFound):
        return "not_found"
    return "rejected" if isinstance(result.error, Rejected | MalformedAnswer) else "failed"


def _rejects_of_fields(lookup: Lookup, customer: Customer) -> list[Reject]:
    return [
        _reject(lookup, "field", f"{problem.path} {problem.problem}", problem.value)
        for problem in customer.problems
        if problem.lossy
    ]


def _rejects_of_failure(result: LookupResult) -> list[Reject]:
    lookup, error = result.lookup, result.error
    if isinstance(error, MalformedAnswer | UnreadableAnswer):
        return [_reject(lookup, "look_up", error.message, result.payload)]
    if isinstance(error, Rejected) and not isinstance(error, NotFound):
        return [_reject(lookup, "look_up", f"{error.message} ({error.code or error.status})", None)]
    return []


def _reject(lookup: Lookup, stage: str, reason: str, payload: object) -> Reject:
    return Reject("customer", lookup.organization_id, f"{lookup.kind} {lookup.value}", stage, reason, payload)
