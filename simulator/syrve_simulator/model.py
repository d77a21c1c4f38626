"""What the simulated service knows, in words of no dialect: `wire` turns it into answers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

IdentityKind = Literal["phone", "id", "card", "card_number", "email"]
"""By what a customer is looked up; `card` is a card's track. A card number and an e-mail may belong to several customers."""

Sex = Literal["male", "female", "not_specified"]


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet of one customer in one organization; `type` is 0 deposit, 1 bonus, 2 products, 3 discount, 4 certificate."""

    wallet_id: str
    name: str
    type: int
    balance: Decimal


@dataclass(frozen=True, slots=True)
class Card:
    """A loyalty card; `valid_to` is a date (`YYYY-MM-DD`) or None."""

    card_id: str
    track: str
    number: str
    valid_to: str | None


@dataclass(frozen=True, slots=True)
class Category:
    """A category of guests, from the short list that an organization keeps."""

    category_id: str
    name: str
    is_active: bool
    is_default_for_new_guests: bool


@dataclass(slots=True, kw_only=True)
class Customer:
    """One customer as one organization sees them; times are ISO text without a zone, `extra` overrides the answer's fields.

    `consent_status` is 0 unknown, 1 given, 2 revoked; `registered_in` and `last_visited` are organization ids.
    """

    customer_id: str
    referrer_id: str | None = None
    name: str | None = None
    surname: str | None = None
    middle_name: str | None = None
    phone: str | None = None
    email: str | None = None
    birthday: str | None = None
    sex: Sex = "not_specified"
    wallets: tuple[Wallet, ...] = ()
    cards: tuple[Card, ...] = ()
    categories: tuple[Category, ...] = ()
    program_id: str | None = None
    program_name: str | None = None
    receives_order_status: bool | None = None
    receives_promo: bool | None = None
    consent_from: str | None = None
    consent_to: str | None = None
    processing_from: str | None = None
    processing_to: str | None = None
    consent_status: int = 0
    receives_loyalty: bool | None = None
    comment: str | None = None
    culture_name: str | None = None
    user_data: str | None = None
    is_anonymized: bool = False
    is_deleted: bool = False
    registered_at: str | None = None
    first_order_at: str | None = None
    last_order_at: str | None = None
    registered_in: str | None = None
    last_visited: str | None = None
    extra: dict[str, object] = field(default_factory=dict)

    def identities(self) -> list[tuple[IdentityKind, str]]:
        """Return every (kind, value) that is this customer's alone in the organization."""
        found: list[tuple[IdentityKind, str]] = [("id", self.customer_id)]
        if self.phone:
            found.append(("phone", self.phone))
        found.extend(("card", card.track) for card in self.cards)
        return [(kind, canonical(kind, value)) for kind, value in found]

    def shared_identities(self) -> list[tuple[IdentityKind, str]]:
        """Return every (kind, value) by which this customer can be looked up and that others may have too."""
        found: list[tuple[IdentityKind, str]] = [("card_number", card.number) for card in self.cards]
        if self.email:
            found.append(("email", self.email))
        return [(kind, canonical(kind, value)) for kind, value in found]

    def copy(self) -> Customer:
        """Return an independent copy: its parts are immutable, so only `extra` is copied as well."""
        return dataclasses.replace(self, extra=dict(self.extra))


def canonical(kind: IdentityKind, value: str) -> str:
    """Return the form in which an identity is compared: phones by their digits (`+` or not), ids and e-mails in lower case."""
    if kind == "phone":
        return "+" + value.strip().removeprefix("+")
    return value.lower() if kind in {"id", "email"} else value


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponSeries:
    """A series of coupons; `discount_type` is `Percent` or `Fixed`."""

    series_id: str
    name: str
    is_activated: bool
    discount_type: str
    discount_value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon:
    """A coupon; times are ISO text without a zone."""

    coupon_id: str
    number: str
    series_id: str
    series_name: str
    is_used: bool
    activated_at: str | None
    activated_by: str | None
    not_after: str | None
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A loyalty programme with the wallet that it fills; `type` as that of the wallet."""

    program_id: str
    name: str
    wallet_id: str
    wallet_name: str
    type: int = 1
    is_active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A restaurant or chain that the api login sees; `position` is its place in the list, `program` the first of `programs`."""

    position: int
    organization_id: str
    name: str
    code: str
    programs: tuple[Program, ...]
    categories: tuple[Category, ...]

    @property
    def program(self) -> Program:
        """The bonus programme, which every customer can join."""
        return self.programs[0]
