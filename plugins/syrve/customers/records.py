"""Turns a customer into the rows that are copied into the warehouse, and into the digest that tells whether anything changed.

A row is written only where the digest says so: most customers of most pulls cost their digest and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import NamedTuple

import msgspec

from syrve.api.models import Customer
from syrve.customers.phones import to_e164
from syrve.warehouse.copy_text import FLAGS, NULL, copy_line, copy_text

_PROFILE = (
    "phone",
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
)
"""Fields of `Customer` that are columns of `syrve.customer`; the phone as it was answered is `phone_raw` there."""
CUSTOMER_COLUMNS = (
    *("organization_id", "customer_id", "phone_raw"),
    *_PROFILE[1:],
    *("phone", "digest", "fetched_at"),
)
WALLET_COLUMNS = ("organization_id", "customer_id", "wallet_id", "name", "type", "balance")
CARD_COLUMNS = ("organization_id", "customer_id", "card_id", "track", "number", "valid_to")
CATEGORY_COLUMNS = ("organization_id", "customer_id", "category_id", "name", "is_active", "is_default_for_new_guests")

LAYOUT = f"customer rows, layout 2: {CUSTOMER_COLUMNS} {WALLET_COLUMNS} {CARD_COLUMNS} {CATEGORY_COLUMNS}"
"""Part of every digest: with another column every customer is written once more. Raise the number if only the meaning of one changes."""

_profile = attrgetter(*_PROFILE)
_CANONICAL = msgspec.json.Encoder(order="sorted")


class CustomerRecord(NamedTuple):
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
    wallets = [(each.wallet_id, each.name, each.type, _amount(each.balance)) for each in customer.wallets]
    rest = msgspec.structs.replace(customer, wallets=(), problems=(), last_order_at=None)
    digest = _empty_digest(region).copy()
    digest.update(_CANONICAL.encode((rest, wallets)))
    return CustomerRecord(organization_id, customer, fetched_at, digest.digest())


@cache
def _empty_digest(region: str) -> hashlib.blake2b:
    return hashlib.blake2b(f"{LAYOUT}, region {region}".encode(), digest_size=16)


def digest_lines(records: Iterable[CustomerRecord]) -> Iterator[str]:
    """Give the lines for `staging_digest`."""
    for organization_id, customer, fetched_at, digest in records:
        yield f"{organization_id}\t{customer.customer_id}\t\\\\x{digest.hex()}\t{fetched_at.isoformat()}"


def absent_lines(records: Iterable[CustomerRecord]) -> Iterator[str]:
    """Give the lines for `staging_absent`: a line for each list that an answer did not have."""
    for organization_id, customer, *_ in records:
        for name in customer.absent:
            yield f"{organization_id}\t{customer.customer_id}\t{name}"


def customer_lines(records: Iterable[CustomerRecord], region: str, *, times: int = 0) -> Iterator[str]:
    """Give the lines for `CUSTOMER_COLUMNS`, the phone as E.164 by the connection's region, and `times` columns of `fetched_at` more."""
    for each in records:
        raw = each.customer.phone
        phone = to_e164(raw, region) if raw else None
        yield copy_line((*each.key, *_profile(each.customer), phone, each.digest, each.fetched_at)) + _end(each, times)


# Children are the most of all rows: each line is written out, which takes a third of the time of `copy_line`.


def wallet_lines(records: Iterable[CustomerRecord], *, times: int = 0) -> Iterator[str]:
    """Give the lines for `WALLET_COLUMNS` and `times` columns of `fetched_at` more."""
    for record in records:
        start, end = _start(record), _end(record, times)
        for each in record.customer.wallets:
            kind = NULL if each.type is None else each.type
            yield f"{start}{each.wallet_id}\t{copy_text(each.name)}\t{kind}\t{_amount(each.balance)}{end}"


def card_lines(records: Iterable[CustomerRecord], *, times: int = 0) -> Iterator[str]:
    """Give the lines for `CARD_COLUMNS` and `times` columns of `fetched_at` more."""
    for record in records:
        start, end = _start(record), _end(record, times)
        for each in record.customer.cards:
            valid_to = NULL if each.valid_to is None else each.valid_to.isoformat()
            yield f"{start}{each.card_id}\t{copy_text(each.track)}\t{copy_text(each.number)}\t{valid_to}{end}"


def category_lines(records: Iterable[CustomerRecord], *, times: int = 0) -> Iterator[str]:
    """Give the lines for `CATEGORY_COLUMNS` and `times` columns of `fetched_at` more."""
    for record in records:
        start, end = _start(record), _end(record, times)
        for each in record.customer.categories:
            flags = f"{FLAGS[each.is_active]}\t{FLAGS[each.is_default_for_new_guests]}"
            yield f"{start}{each.category_id}\t{copy_text(each.name)}\t{flags}{end}"


def _start(record: CustomerRecord) -> str:
    return f"{record.organization_id}\t{record.customer.customer_id}\t"


def _end(record: CustomerRecord, times: int) -> str:
    return f"\t{record.fetched_at.isoformat()}" * times if times else ""


def _amount(balance: Decimal) -> str:
    """Write an amount exactly and in one way only: 10 and 10.00 are the same balance, and so are 0 and -0."""
    text = format(balance, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
