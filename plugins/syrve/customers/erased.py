"""Leaves erased customers out of a batch: neither their answers nor whom they brought are kept, and their identities leave the roster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from syrve.warehouse.sql_files import sql

if TYPE_CHECKING:
    from syrve.customers.merge import Batch
    from syrve.customers.records import CustomerRecord
    from syrve.warehouse.database import Cursor


def leave_erased_out(cursor: Cursor, batch: Batch) -> None:
    """Take erased customers out of a batch, in the transaction that merges it; erasures wait until that ends."""
    named = set(batch.customers)
    named |= {
        (key[0], record.customer.referrer_id) for key, record in batch.customers.items() if record.customer.referrer_id
    }
    organization_ids, customer_ids = [key[0] for key in named], [key[1] for key in named]
    cursor.execute(
        sql("privacy/erased_customers.sql"), {"organization_ids": organization_ids, "customer_ids": customer_ids}
    )
    erased = {(organization_id, customer_id) for organization_id, customer_id in cursor.fetchall()}
    if not erased:
        return
    identities = set()
    for lookup, _, customer_id, _ in batch.lookups:
        if (lookup.organization_id, customer_id) in erased:
            values = {"organization_id": lookup.organization_id, "customer_id": customer_id}
            values |= {"identity_kind": lookup.kind, "identity_value": lookup.value}
            cursor.execute(sql("privacy/drop_identity.sql"), values)
            identities.add(f"{lookup.kind} {lookup.value}")
    batch.customers = {
        key: _without_referrer(record) if (key[0], record.customer.referrer_id) in erased else record
        for key, record in batch.customers.items()
        if key not in erased
    }
    batch.lookups = [each for each in batch.lookups if (each[0].organization_id, each[2]) not in erased]
    batch.rejects = [each for each in batch.rejects if each.identity not in identities]


def _without_referrer(record: CustomerRecord) -> CustomerRecord:
    """Drop who brought the customer; the digest stays that of the answer, so that the same answer is no change."""
    return record._replace(customer=msgspec.structs.replace(record.customer, referrer_id=None))
