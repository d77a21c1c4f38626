"""What happened in one organization, apart from our ledger: calls with the outcomes, orders, and what nobody told of."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


@dataclass(slots=True)
class Cancel:
    """A call that was to end a hold; neither `granted_at` nor `refused_at` while nobody can know."""

    sent_at: datetime
    granted_at: datetime | None = None
    refused_at: datetime | None = None

    def is_unknown(self, moment: datetime) -> bool:
        settled_at = self.granted_at or self.refused_at
        return self.sent_at <= moment and (settled_at is None or settled_at > moment)


@dataclass(slots=True)
class Hold:
    """A call that was to set money aside, with how it went on; `hold_id` is None if the call never reached the simulator."""

    hold_id: str | None
    customer_id: str
    wallet_id: str
    amount: Decimal
    order_id: str | None
    sent_at: datetime
    granted_at: datetime | None = None
    refused_at: datetime | None = None
    cancels: list[Cancel] = field(default_factory=list)
    consumed_at: datetime | None = None
    id_is_known: bool = True
    """Whether whoever made it knows the id that Syrve gave it, by which others may speak of it."""

    @property
    def over_at(self) -> datetime | None:
        """From when on it is known to set nothing aside."""
        ends = [each.granted_at for each in self.cancels] + [self.consumed_at, self.refused_at]
        return min((each for each in ends if each is not None), default=None)

    def may_be_open(self, moment: datetime) -> bool:
        return self.sent_at <= moment and (self.over_at is None or self.over_at > moment)

    def sets_aside(self, moment: datetime) -> bool:
        """Whether it is certain that money is set aside: granted, not over, and no cancellation on its way."""
        return (
            self.may_be_open(moment)
            and self.was_granted(moment)
            and not any(each.is_unknown(moment) for each in self.cancels)
        )

    def was_granted(self, moment: datetime) -> bool:
        """Whether it was known by then that it was made."""
        return self.granted_at is not None and self.granted_at <= moment

    def ended_otherwise(self, moment: datetime) -> bool:
        """Whether it was cancelled or consumed by then, so that it must have been made."""
        ends = [*(each.granted_at for each in self.cancels), self.consumed_at]
        return any(each is not None and each <= moment for each in ends)

    def was_made(self, moment: datetime) -> bool:
        """Whether it was sent and not refused by then; one that was told to be over before it was refused ended as was told."""
        is_refused = self.refused_at is not None and self.refused_at <= moment and self.over_at == self.refused_at
        return self.sent_at <= moment and not is_refused


@dataclass(slots=True)
class Charge:
    """A call that was to take money; `hold` is the one that its record names. `consumes` is a till's, paid with the held money itself."""

    key: str | None
    customer_id: str
    wallet_id: str
    amount: Decimal
    order_id: str | None
    sent_at: datetime
    granted_at: datetime | None = None
    refused_at: datetime | None = None
    hold: Hold | None = None
    is_ours: bool = False
    consumes: bool = False

    @property
    def charged_at(self) -> datetime:
        """When it was known that the money was taken."""
        assert self.granted_at is not None
        return self.granted_at


@dataclass(slots=True)
class Refund:
    """A top-up that names an order."""

    customer_id: str
    wallet_id: str
    amount: Decimal
    order_id: str
    sent_at: datetime
    granted_at: datetime | None = None
    refused_at: datetime | None = None


@dataclass(slots=True)
class Planned:
    """An operation of ours that a process wrote down and did not send; `over_at` is when another sent it or gave it up."""

    customer_id: str
    wallet_id: str
    amount: Decimal
    planned_at: datetime
    over_at: datetime | None = None


@dataclass(slots=True)
class Contested:
    """A cancellation that somebody reported of a hold by mistake, with another customer, wallet or amount."""

    hold: Hold
    reported_at: datetime


@dataclass(slots=True)
class History:
    """Everything of one organization; `silent` are movements that nobody told of, as (customer, wallet, sum, seen at)."""

    holds: list[Hold] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    payments: list[Hold] = field(default_factory=list)
    """The holds of payments of ours."""
    contested: list[Contested] = field(default_factory=list)
    orders: dict[str, list[tuple[datetime, str]]] = field(default_factory=dict)
    amounts: dict[tuple[str, datetime, str], Decimal] = field(default_factory=dict)
    """What an order comes to, by its id and the state that was reported with it."""
    silent: list[tuple[str, str, Decimal, datetime]] = field(default_factory=list)

    def order(self, order_id: str | None, moment: datetime) -> tuple[datetime, str] | None:
        """The state of an order by the order service's own records, and since when."""
        known = [each for each in self.orders.get(order_id or "", []) if each[0] <= moment]
        return max(known) if known else None

    def order_amount(self, order_id: str, moment: datetime) -> Decimal | None:
        """What an order comes to, as its latest report has it."""
        known = self.order(order_id, moment)
        return None if known is None else self.amounts.get((order_id, *known))

    def says(self, order_id: str, state: str, moment: datetime, amount: Decimal | None = None) -> None:
        self.orders.setdefault(order_id, []).append((moment, state))
        if amount is not None:
            self.amounts[order_id, moment, state] = amount

    def charges_by(self, moment: datetime) -> list[Charge]:
        known = [each for each in self.charges if each.granted_at is not None and each.granted_at <= moment]
        return sorted(known, key=lambda each: each.charged_at)


class Flag(NamedTuple):
    """One finding: `about` is the hold's id or the charge's key, None if only the wallet is known."""

    rule: str
    customer_id: str
    wallet_id: str
    about: str | None
    amount: Decimal
