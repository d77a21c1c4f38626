"""Does not believe at once that a customer of whom several things were known has lost them all: a later run must get the same answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syrve.api.models import Customer, Lookup
from syrve.warehouse.database import Cursor
from syrve.warehouse.runs import Reject, TaskKey
from syrve.warehouse.sql_files import sql

if TYPE_CHECKING:
    from syrve.customers.merge import Batch

EMPTIED = "every personal field is empty, of a customer who had several; the mirror stays until a later run gets the same answer"


def doubt_emptied(cursor: Cursor, batch: Batch, key: TaskKey) -> None:
    """Turn look-ups that would empty a known customer's profile into rejects, before the batch is staged.

    A deleted or anonymized customer is believed to have nothing, and so is one of whom an earlier run got the same answer.
    """
    empty = {each for each, record in batch.customers.items() if _says_nothing(record.customer)}
    asked = [
        (lookup.organization_id, customer_id, _identity(lookup))
        for lookup, _, customer_id, _ in batch.lookups
        if customer_id is not None and (lookup.organization_id, customer_id) in empty
    ]
    if not asked:
        return
    organization_ids, customer_ids, identities = map(list, zip(*asked, strict=True))
    values = {"organization_ids": organization_ids, "customer_ids": customer_ids, "identities": identities}
    cursor.execute(sql("merge/emptied.sql"), values | {"reason": EMPTIED, "run_id": key.run_id})
    for each in cursor.fetchall():
        _reject(batch, each)


def _reject(batch: Batch, key: tuple[str, str]) -> None:
    del batch.customers[key]
    for place, (lookup, _, customer_id, at) in enumerate(batch.lookups):
        if (lookup.organization_id, customer_id) == key:
            batch.lookups[place] = (lookup, "rejected", None, at)
            batch.rejects.append(Reject("customer", key[0], _identity(lookup), "look_up", EMPTIED))
            batch.counts.found -= 1
            batch.counts.rejected += 1


def _identity(lookup: Lookup) -> str:
    return f"{lookup.kind} {lookup.value}"


def _says_nothing(customer: Customer) -> bool:
    return (
        customer.phone is None
        and customer.name is None
        and customer.surname is None
        and customer.middle_name is None
        and customer.email is None
        and customer.birthday is None
        and not customer.is_deleted
        and customer.extra.get("anonymized") is not True
    )
