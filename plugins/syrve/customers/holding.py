"""Holds back what a pull must not believe: that many customers of an organization are gone, others than they were, or emptied, at once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from syrve.api.errors import SyrveError
from syrve.customers.doubts import DAMAGED, EMPTIED, Doubts
from syrve.warehouse import breaker
from syrve.warehouse.database import Cursor, fetch_one
from syrve.warehouse.limits import BreakerSettings
from syrve.warehouse.runs import TaskKey
from syrve.warehouse.sql_files import sql

if TYPE_CHECKING:
    from syrve.customers.merge import Batch


class CustomersHeldBack(SyrveError):
    """Syrve says of more customers than is plausible that they are gone, others, or empty: the mirror keeps them until a person decides."""


def hold_back(cursor: Cursor, batch: Batch, key: TaskKey, settings: BreakerSettings, doubts: Doubts) -> None:
    """Take out of a staged batch what a breaker holds back, and count it in `held_back`; needs `staging_lookup` filled.

    What is held back is in `sync.held_back`; such look-ups count as failed in the roster, so they are made again.
    """
    deleted = [record.customer.customer_id for record in batch.customers.values() if record.customer.is_deleted]
    values = {
        "deleted_ids": deleted,
        "doubted_organization_ids": [organization_id for organization_id, _ in doubts],
        "doubted_ids": [customer_id for _, customer_id in doubts],
        "doubted_answers": [doubt.answer for doubt in doubts.values()],
    }
    cursor.execute(sql("merge/gone.sql"), values)
    cursor.execute(sql("merge/gone_known.sql"), {"doubt_reasons": [EMPTIED, DAMAGED]})
    gone: int = fetch_one(cursor)[0]
    organizations = Counter(lookup.organization_id for lookup, *_ in batch.lookups)
    for organization_id in organizations:  # a batch of a pull has one
        breaker_id = _breaker(cursor, batch, key, settings, organization_id, gone)
        cursor.execute(sql("merge/hold_back.sql"), {"breaker_id": breaker_id})
        held = cursor.fetchall()
        batch.counts.held_back += len(held)
        batch.newly_held += sum(is_new for *_, is_new in held)
        _take_out(batch, {(organization, kind, value) for organization, kind, value, _ in held})


def _take_out(batch: Batch, held: set[tuple[str, str, str]]) -> None:
    """Take the customers out of a batch whom only answers show that are held back."""
    shown = {
        (lookup.organization_id, customer_id)
        for lookup, _, customer_id, _ in batch.lookups
        if customer_id is not None and (lookup.organization_id, lookup.kind, lookup.value) not in held
    }
    for key in batch.customers.keys() - shown:
        del batch.customers[key]


def note_changed_fields(
    cursor: Cursor, batch: Batch, key: TaskKey, settings: BreakerSettings, changed: dict[str, int]
) -> None:
    """Count the known customers that this batch changed, by field, and record which field a run changes in too many of them.

    Such a change lands: Syrve is the source of it. Call it last, when the batch needs no more locks.
    """
    organizations = {lookup.organization_id for lookup, *_ in batch.lookups}
    if not changed or len(organizations) != 1:
        return
    organization_id = organizations.pop()
    looked = len(batch.customers)
    tallies = breaker.count_change(
        cursor, key, organization_id, "field_changed", looked=looked, affected=changed, settings=settings
    )
    for tally in tallies:
        if tally.is_too_much:
            breaker.land(cursor, key, organization_id, "field_changed", tally)


def _breaker(
    cursor: Cursor, batch: Batch, key: TaskKey, settings: BreakerSettings, organization_id: str, gone: int
) -> int | None:
    looked = len(batch.customers) + gone
    (tally,) = breaker.count_change(
        cursor, key, organization_id, "customers_gone", looked=looked, affected={"": gone}, settings=settings
    )
    if not gone:
        return None
    tripped = breaker.has_tripped(cursor, key.run_id, organization_id, "customers_gone")
    if tripped is not None:
        return tripped
    of_day = breaker.tally_of_day(cursor, organization_id, "customers_gone", settings)
    too_much = next((each for each in (tally, of_day) if each.is_too_much), None)
    return None if too_much is None else breaker.trip(cursor, key, organization_id, "customers_gone", too_much)
