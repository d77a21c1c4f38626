"""Leaves erased customers out of a batch: neither their answers nor whom they brought are kept, and their identities leave the roster."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from syrve.customers.phones import to_e164
from syrve.warehouse.sql_files import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from syrve.customers.merge import Batch
    from syrve.customers.records import CustomerRecord
    from syrve.warehouse.database import Cursor

log = logging.getLogger(__name__)
_Key = tuple[str, str]


def leave_erased_out(cursor: Cursor, batch: Batch, *, region: str) -> None:
    """Take erased customers out of a batch, in the transaction that merges it; erasures wait until that ends.

    A customer whom the mirror does not know and who has the phone or e-mail address of an erased person is taken for that person.
    """
    named = set(batch.customers)
    named |= {
        (key[0], record.customer.referrer_id) for key, record in batch.customers.items() if record.customer.referrer_id
    }
    erased = _keys(cursor, "privacy/erased_customers.sql", named)
    returned = _returned(cursor, batch, region) - erased
    if returned:
        log.warning(
            "%d customer(s) that are new have the phone or e-mail address of a person who was erased, and are left out; "
            "privacy.allow_again lets one come back",
            len(returned),
        )
    erased |= returned
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


def _returned(cursor: Cursor, batch: Batch, region: str) -> set[_Key]:
    new = _keys(cursor, "privacy/new_customers.sql", batch.customers)
    if not new:
        return set()
    people = [batch.customers[key].customer for key in new]
    phones = [to_e164(each.phone, region) if each.phone else None for each in people]
    emails = [each.email.lower() if each.email else None for each in people]
    return _keys(cursor, "privacy/returned_customers.sql", new, phones=phones, emails=emails)


def _keys(cursor: Cursor, name: str, asked: Iterable[_Key], **values: object) -> set[_Key]:
    """Ask a file of `sql/` about customers by organization and id; it answers with some of them."""
    keys = list(asked)
    values |= {"organization_ids": [key[0] for key in keys], "customer_ids": [key[1] for key in keys]}
    cursor.execute(sql(name), values)
    return {(organization_id, customer_id) for organization_id, customer_id in cursor.fetchall()}


def _without_referrer(record: CustomerRecord) -> CustomerRecord:
    """Drop who brought the customer; the digest stays that of the answer, so that the same answer is no change."""
    return record._replace(customer=msgspec.structs.replace(record.customer, referrer_id=None))
