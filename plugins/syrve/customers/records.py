"""Turns a customer into the rows that are copied into the warehouse, and into the digest that tells whether anything changed.

A row is written only where the digest says so: most customers of most pulls cost their digest and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal

from syrve.api.models import Customer
from syrve.customers.phones import to_e164
from syrve.warehouse.copy_text import copy_line

LAYOUT_VERSION = b"customer rows, layout 2"
"""Part of every digest: raise it when the columns below change, and every customer is written once more."""

CUSTOMER_COLUMNS = (
    "organization_id",
    "customer_id",
    "phone_raw",
    "email",
    "name",
    "surname",
    "middle_name",
    "birthday",
    "sex",
    "referrer_id",
    "program_id",
    "program_name",
    "receives_order_status",
    "receives_promo",
    "consent_from",
    "consent_to",
    "is_deleted",
    "extra",
    "phone",
    "digest",
    "fetched_at",
)
WALLET_COLUMNS = ("organization_id", "customer_id", "wallet_id", "name", "type", "balance")
CARD_COLUMNS = ("organization_id", "customer_id", "card_id", "track", "number", "valid_to")
CATEGORY_COLUMNS = ("organization_id", "customer_id", "category_id", "name", "is_active", "is_default_for_new_guests")

_EXACT = Context(prec=200)


@dataclass(frozen=True, slots=True)
class CustomerRecord:
    """A customer of one organization as of one answer, with the digest of all that is kept of it."""

    organization_id: str
    customer: Customer
    fetched_at: datetime
    digest: bytes

    @property
    def key(self) -> tuple[str, str]:
        """Organization and customer: the key of `syrve.customer`."""
        return (self.organization_id, self.customer.customer_id)


def customer_record(organization_id: str, customer: Customer, *, fetched_at: datetime, region: str) -> CustomerRecord:
    """Make the record of a customer; equal customers give equal digests, whenever and however they were written in the answer."""
    digest = hashlib.blake2b(LAYOUT_VERSION + region.encode(), digest_size=16)
    for lines in (
        [customer.customer_id],
        [_profile(customer)],
        _wallets(customer),
        _cards(customer),
        _categories(customer),
    ):
        digest.update("\n".join(lines).encode())
        digest.update(b"\0")
    return CustomerRecord(organization_id, customer, fetched_at, digest.digest())


def digest_lines(records: Iterable[CustomerRecord]) -> Iterator[str]:
    """Give the lines for `staging_digest`."""
    for each in records:
        yield copy_line((*each.key, each.digest, each.fetched_at))


def customer_lines(records: Iterable[CustomerRecord], region: str) -> Iterator[str]:
    """Give the lines for `CUSTOMER_COLUMNS`, with the phone as E.164 by the connection's region."""
    for each in records:
        raw = each.customer.phone
        phone = to_e164(raw, region) if raw else None
        end = copy_line((phone, each.digest, each.fetched_at))
        yield f"{copy_line(each.key)}\t{_profile(each.customer)}\t{end}"


def wallet_lines(records: Iterable[CustomerRecord]) -> Iterator[str]:
    """Give the lines for `WALLET_COLUMNS`."""
    return _child_lines((each, _wallets(each.customer)) for each in records)


def card_lines(records: Iterable[CustomerRecord]) -> Iterator[str]:
    """Give the lines for `CARD_COLUMNS`."""
    return _child_lines((each, _cards(each.customer)) for each in records)


def category_lines(records: Iterable[CustomerRecord]) -> Iterator[str]:
    """Give the lines for `CATEGORY_COLUMNS`."""
    return _child_lines((each, _categories(each.customer)) for each in records)


def _child_lines(children: Iterable[tuple[CustomerRecord, list[str]]]) -> Iterator[str]:
    for record, lines in children:
        key = "\t".join(record.key)
        for line in lines:
            yield f"{key}\t{line}"


def _profile(customer: Customer) -> str:
    return copy_line(
        (
            customer.phone,
            customer.email,
            customer.name,
            customer.surname,
            customer.middle_name,
            customer.birthday,
            customer.sex,
            customer.referrer_id,
            customer.program_id,
            customer.program_name,
            customer.receives_order_status,
            customer.receives_promo,
            customer.consent_from,
            customer.consent_to,
            customer.is_deleted,
            dict(customer.extra),
        )
    )


def _wallets(customer: Customer) -> list[str]:
    return [copy_line((each.wallet_id, each.name, each.type, _plain(each.balance))) for each in customer.wallets]


def _cards(customer: Customer) -> list[str]:
    return [copy_line((each.card_id, each.track, each.number, each.valid_to)) for each in customer.cards]


def _categories(customer: Customer) -> list[str]:
    return [
        copy_line((each.category_id, each.name, each.is_active, each.is_default_for_new_guests))
        for each in customer.categories
    ]


def _plain(amount: Decimal) -> Decimal:
    """Drop trailing zeros and the sign of zero, so that 10 and 10.00 are the same balance, and 0 and -0."""
    return _EXACT.plus(amount.normalize(_EXACT))
