"""Writes one batch of look-up results: data, roster, rejects and counts in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from syrve.api.bulk import LookupResult
from syrve.api.errors import MalformedAnswer, NotFound, Rejected, UnreadableAnswer
from syrve.api.models import Lookup
from syrve.customers.records import (
    CARD_COLUMNS,
    CATEGORY_COLUMNS,
    CUSTOMER_COLUMNS,
    WALLET_COLUMNS,
    CustomerRows,
    customer_rows,
    digest_line,
)
from syrve.customers.settings import PullSettings
from syrve.warehouse.copy_text import copy_line, copy_lines
from syrve.warehouse.database import Cursor, fetch_one
from syrve.warehouse.runs import Counts, Reject, add_rejects
from syrve.warehouse.sql_files import sql

_LOOKUP_COLUMNS = ("organization_id", "identity_kind", "identity_value", "outcome", "customer_id", "checked_at")
_DIGEST_COLUMNS = ("organization_id", "customer_id", "digest", "fetched_at")


@dataclass(slots=True)
class Batch:
    """Look-up results made ready for the database."""

    lookup_lines: list[str] = field(default_factory=list)
    customers: dict[tuple[str, str], CustomerRows] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)


def prepare_batch(results: Iterable[LookupResult], region: str) -> Batch:
    """Sort results into rows, rejects and counts; a customer found twice counts once, by the later answer."""
    batch = Batch()
    for result in results:
        outcome = _outcome(result)
        batch.counts.requested += 1
        setattr(batch.counts, outcome, getattr(batch.counts, outcome) + 1)
        batch.rejects.extend(_rejects(result))
        customer = result.customer
        lookup = result.lookup
        batch.lookup_lines.append(
            copy_line(
                (
                    lookup.organization_id,
                    lookup.kind,
                    lookup.value,
                    outcome,
                    customer.customer_id if customer else None,
                    result.received_at,
                )
            )
        )
        if customer is None:
            continue
        batch.counts.cleaned += len(customer.problems)
        key = (lookup.organization_id, customer.customer_id)
        known = batch.customers.get(key)
        if known is None or known.fetched_at < result.received_at:
            batch.customers[key] = customer_rows(
                lookup.organization_id, customer, fetched_at=result.received_at, region=region
            )
    return batch


def merge_batch(
    cursor: Cursor, batch: Batch, *, lease: int, run_id: str, region: str, settings: PullSettings
) -> Counts:
    """Merge a batch inside the caller's transaction and return its counts, `changed` and `unchanged` included.

    Digests go first; only what differs from the mirror is copied whole. Needs the staging tables on the cursor's connection.
    """
    copy_lines(cursor, "staging_lookup", _LOOKUP_COLUMNS, batch.lookup_lines)
    copy_lines(cursor, "staging_digest", _DIGEST_COLUMNS, [digest_line(rows) for rows in batch.customers.values()])
    cursor.execute(sql("merge/changed_customers.sql"))
    changed = {customer_id for (customer_id,) in cursor.fetchall()}
    _copy_customers(cursor, [rows for rows in batch.customers.values() if rows.customer_id in changed], region)
    for name in ("customer", "wallet_balance", "card", "customer_category", "deleted_customer"):
        cursor.execute(sql(f"merge/{name}.sql"))
    cursor.execute("select count(*) from staging_merged")
    merged: int = fetch_one(cursor)[0]
    add_rejects(cursor, run_id, batch.rejects)
    cursor.execute(sql("merge/reject_resolved.sql"))
    cursor.execute(
        sql("roster/finish.sql"),
        {
            "lease": lease,
            "floor_seconds": settings.floor_seconds,
            "ceiling_seconds": settings.ceiling_seconds,
            "failed_seconds": settings.failed_seconds,
        },
    )
    counts = batch.counts
    counts.changed = merged
    counts.unchanged = max(0, len(batch.customers) - merged)
    return counts


def _copy_customers(cursor: Cursor, customers: Sequence[CustomerRows], region: str) -> None:
    copy_lines(cursor, "staging_customer", CUSTOMER_COLUMNS, [rows.full_customer_line(region) for rows in customers])
    wallets = [line for rows in customers for line in rows.wallet_lines]
    copy_lines(cursor, "staging_wallet_balance", WALLET_COLUMNS, wallets)
    copy_lines(cursor, "staging_card", CARD_COLUMNS, [line for rows in customers for line in rows.card_lines])
    categories = [line for rows in customers for line in rows.category_lines]
    copy_lines(cursor, "staging_customer_category", CATEGORY_COLUMNS, categories)


def _outcome(result: LookupResult) -> str:
    if result.customer is not None:
        return "found"
    if isinstance(result.error, NotFound):
        return "not_found"
    return "rejected" if isinstance(result.error, Rejected | MalformedAnswer) else "failed"


def _rejects(result: LookupResult) -> list[Reject]:
    lookup, error = result.lookup, result.error
    if result.customer is not None:
        return [
            _reject(lookup, "field", f"{problem.path} {problem.problem}", problem.value)
            for problem in result.customer.problems
            if problem.lossy
        ]
    if isinstance(error, MalformedAnswer):
        return [_reject(lookup, "look_up", error.message, result.payload)]
    if isinstance(error, Rejected) and not isinstance(error, NotFound):
        return [_reject(lookup, "look_up", f"{error.message} ({error.code or error.status})", None)]
    if isinstance(error, UnreadableAnswer):
        return [_reject(lookup, "look_up", error.message, result.payload)]
    return []


def _reject(lookup: Lookup, stage: str, reason: str, payload: object) -> Reject:
    return Reject("customer", lookup.organization_id, f"{lookup.kind} {lookup.value}", stage, reason, payload)
