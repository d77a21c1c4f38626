"""Leaves erased customers out of a batch: their answers are not kept, and the identities that led to them leave the roster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syrve.warehouse.sql_files import sql

if TYPE_CHECKING:
    from syrve.customers.merge import Batch
    from syrve.warehouse.database import Cursor


def leave_erased_out(cursor: Cursor, batch: Batch) -> None:
    """Take erased customers out of a batch, in the transaction that merges it; erasures wait until that ends."""
    organization_ids, customer_ids = [key[0] for key in batch.customers], [key[1] for key in batch.customers]
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
    batch.customers = {key: record for key, record in batch.customers.items() if key not in erased}
    batch.lookups = [each for each in batch.lookups if (each[0].organization_id, each[2]) not in erased]
    batch.rejects = [each for each in batch.rejects if each.identity not in identities]
