"""Turns a customer into the rows that are copied into staging, and into the digest that tells whether anything changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal

from syrve.api.models import Customer
from syrve.customers.phones import to_e164
from syrve.warehouse.copy_text import copy_line

LAYOUT_VERSION = b"customer rows, layout 1"
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
class CustomerRows:
    """One customer as lines for COPY; `customer_line` still lacks phone, digest and time, which only a changed one needs."""

    organization_id: str
    customer_id: str
    fetched_at: datetime
    digest: bytes
    phone_raw: str | None
    customer_line: str
    wallet_lines: tuple[str, ...]
    card_lines: tuple[str, ...]
    category_lines: tuple[str, ...]

    def full_customer_line(self, region: str) -> str:
        """Return the line for `CUSTOMER_COLUMNS`, with the phone as E.164 by the connection's region."""
        phone = to_e164(self.phone_raw, region) if self.phone_raw else None
        return f"{self.customer_line}\t{copy_line((phone, self.digest, self.fetched_at))}"


def customer_rows(organization_id: str, customer: Customer, *, fetched_at: datetime, region: str) -> CustomerRows:
    """Make the rows of one customer; children are in the order of their ids, so equal customers give equal digests."""
    key = (organization_id, customer.customer_id)
    customer_line = copy_line(
        (
            *key,
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
    wallets = tuple(
        copy_line((*key, wallet.wallet_id, wallet.name, wallet.type, _plain(wallet.balance)))
        for wallet in customer.wallets
    )
    cards = tuple(copy_line((*key, card.card_id, card.track, card.number, card.valid_to)) for card in customer.cards)
    categories = tuple(
        copy_line((*key, each.category_id, each.name, each.is_active, each.is_default_for_new_guests))
        for each in customer.categories
    )
    digest = hashlib.blake2b(LAYOUT_VERSION + region.encode(), digest_size=16)
    for lines in ((customer_line,), wallets, cards, categories):
        digest.update("\n".join(lines).encode())
        digest.update(b"\0")
    return CustomerRows(
        organization_id,
        customer.customer_id,
        fetched_at,
        digest.digest(),
        customer.phone,
        customer_line,
        wallets,
        cards,
        categories,
    )


def digest_line(rows: CustomerRows) -> str:
    """Return the line for `staging_digest`."""
    return copy_line((rows.organization_id, rows.customer_id, rows.digest, rows.fetched_at))


def _plain(amount: Decimal) -> Decimal:
    """Drop trailing zeros and the sign of zero, so that 10 and 10.00 are the same balance, and 0 and -0."""
    return _EXACT.plus(amount.normalize(_EXACT))
