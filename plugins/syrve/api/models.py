"""What Syrve's answers mean to us: one record a kind of thing, the same for every dialect.

Ids are canonical lower-case uuid text, times are UTC, money is `Decimal` exactly as the JSON text had it. What a pull makes by the
thousand is a `msgspec.Struct`: made in a tenth of the time, and left alone by the garbage collector, as it can be part of no cycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

Sex = Literal["male", "female", "not_specified"]
IdentityKind = Literal["phone", "id", "card", "card_number"]
LookupKind = Literal["phone", "id", "card", "card_number", "email"]


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """A field that was not as it should be, and was imported all the same.

    `lossy` tells whether something that Syrve sent is missing from the record (an impossible date became null), in which case
    `value` keeps what came; otherwise it was only put right (a number given as text).
    """

    path: str
    problem: str
    lossy: bool
    value: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Organization:
    """A restaurant or chain that the api login sees."""

    organization_id: str
    name: str | None


class WalletBalance(msgspec.Struct, frozen=True, gc=False):
    """One wallet of a customer; `type` as in the facts: 0 deposit, 1 bonus, 2 products, 3 discount, 4 certificate."""

    wallet_id: str
    name: str | None
    type: int | None
    balance: Decimal


class Card(msgspec.Struct, frozen=True, gc=False):
    """One loyalty card of a customer."""

    card_id: str
    track: str | None
    number: str | None
    valid_to: datetime | None


class Category(msgspec.Struct, frozen=True, gc=False):
    """One guest category that a customer is in."""

    category_id: str
    name: str | None
    is_active: bool | None
    is_default_for_new_guests: bool | None


class Customer(msgspec.Struct, frozen=True, gc=False):
    """A customer as one organization knows it; `extra` holds every field that is not modelled here, by its name in the answer.

    `absent` names the lists (wallets, cards, categories) that the answer did not have, or had as null: they are not known to be empty.
    `last_order_at` is the time of `lastProcessedOrderDate`, which `extra` holds as it was written; None if that is no time.
    """

    customer_id: str
    phone: str | None = None
    email: str | None = None
    name: str | None = None
    surname: str | None = None
    middle_name: str | None = None
    birthday: date | None = None
    sex: Sex | None = None
    referrer_id: str | None = None
    program_id: str | None = None
    program_name: str | None = None
    receives_order_status: bool | None = None
    receives_promo: bool | None = None
    consent_from: datetime | None = None
    consent_to: datetime | None = None
    is_deleted: bool = False
    wallets: tuple[WalletBalance, ...] = ()
    cards: tuple[Card, ...] = ()
    categories: tuple[Category, ...] = ()
    extra: Mapping[str, Any] = {}
    absent: tuple[str, ...] = ()
    problems: tuple[FieldProblem, ...] = ()
    last_order_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CouponSeries:
    """One series of coupons; the live service knows no discount, so those fields may be null."""

    series_id: str
    name: str | None
    is_activated: bool | None = None
    discount_type: str | None = None
    discount_value: Decimal | None = None


@dataclass(frozen=True, slots=True)
class SeriesListing:
    """All series of one organization, from one complete answer."""

    organization_id: str
    series: tuple[CouponSeries, ...]
    problems: tuple[FieldProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class Coupon:
    """One coupon as looked up by its number; `problems` are the fields that were not as they should be."""

    number: str
    coupon_id: str | None
    series_id: str | None
    series_name: str | None
    is_used: bool | None
    activated_at: datetime | None
    activated_by: str | None
    not_after: datetime | None
    is_deleted: bool = False
    problems: tuple[FieldProblem, ...] = ()

    @property
    def lost(self) -> tuple[FieldProblem, ...]:
        """The problems for which something that Syrve sent is missing here."""
        return tuple(problem for problem in self.problems if problem.lossy)


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question to `customer/info`: who is it that has this phone (E.164), id, card track or e-mail address in this organization?"""

    organization_id: str
    kind: LookupKind
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CustomerChange:
    """What `create_or_update` should set; None leaves a field alone, `clear` names those to empty."""

    customer_id: str | None = None
    phone: str | None = None
    card_track: str | None = None
    card_number: str | None = None
    name: str | None = None
    surname: str | None = None
    middle_name: str | None = None
    email: str | None = None
    birthday: date | None = None
    sex: Sex | None = None
    receives_order_status: bool | None = None
    receives_promo: bool | None = None
    receives_loyalty: bool | None = None
    comment: str | None = None
    clear: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProgramMembership:
    """What joining a programme gave: the customer's wallet and the programme's, where the service says."""

    user_wallet_id: str | None
    wallet_id: str | None


@dataclass(frozen=True, slots=True)
class Program:
    """A loyalty programme; `type` as of wallets."""

    program_id: str
    name: str | None
    type: int | None
    wallet_id: str | None
    is_active: bool | None
    service_from: datetime | None
    service_to: datetime | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """One movement of a customer's money; the meaning and sign of `amount` depend on `type` (facts, section 4.11)."""

    transaction_id: str
    revision: int
    type: int | None
    type_name: str | None
    amount: Decimal | None
    balance_before: Decimal | None
    balance_after: Decimal | None
    wallet_id: str | None
    program_id: str | None
    comment: str | None
    api_client_login: str | None
    created_at: datetime | None
    order_number: int | None
    order_sum: Decimal | None
    pos_order_id: str | None


@dataclass(frozen=True, slots=True)
class CustomersChanged:
    """How many of the customers that a call named were deleted or restored, and how many are not known."""

    total: int | None
    changed: int | None
    not_found: int | None


@dataclass(frozen=True, slots=True)
class OrderPage:
    """A page of the order feed: `max_revision` is the newest; orders are as they came, each with its organization."""

    max_revision: int | None
    orders: tuple[tuple[str, Mapping[str, Any]], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Where webhooks of an organization go (None: nowhere), and which: a filter by kind of event."""

    uri: str | None
    filter: Mapping[str, Any]
    token: str | None = field(default=None, repr=False)
