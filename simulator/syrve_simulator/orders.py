"""The orders of the simulated tills, each in its latest state, with the revision of its last change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from syrve_simulator.clock import Clock

OrderKind = Literal["delivery", "table"]
STATUSES: dict[OrderKind, tuple[str, ...]] = {
    "delivery": (
        "Unconfirmed",
        "WaitCooking",
        "ReadyForCooking",
        "CookingStarted",
        "CookingCompleted",
        "Waiting",
        "OnWay",
        "Delivered",
        "Closed",
        "Cancelled",
    ),
    "table": ("New", "Bill", "Closed", "Deleted"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order; `from_wallet` is what it takes from the customer's wallet when it is closed. Revisions are milliseconds since 1970."""

    order_id: str
    kind: OrderKind
    status: str
    customer_id: str | None
    phone: str | None
    number: int
    external_number: str | None
    sum: Decimal
    from_wallet: Decimal
    wallet_id: str | None
    created_ms: int
    revision: int


@dataclass(slots=True)
class OrderBook:
    """The orders by organization, and the revision that is given next."""

    clock: Clock
    _orders: dict[int, dict[str, Order]] = field(default_factory=dict)
    _revision: int = 0

    def of(self, organization: int) -> list[Order]:
        """Return the orders of an organization by revision."""
        return sorted(self._orders.get(organization, {}).values(), key=lambda one: one.revision)

    def find(self, organization: int, order_id: str) -> Order | None:
        """Return an order, if there is one with this id."""
        return self._orders.get(organization, {}).get(order_id)

    def put(self, organization: int, order: Order) -> Order:
        """Keep an order as it is now, under a new revision."""
        kept = replace(order, revision=self.next_revision())
        self._orders.setdefault(organization, {})[kept.order_id] = kept
        return kept

    def next_revision(self) -> int:
        """Return a revision above all that were given: the time, where it went on."""
        self._revision = max(self._revision + 1, self.now_ms())
        return self._revision

    def now_ms(self) -> int:
        """Return the time in milliseconds since 1970."""
        return int(self.clock.seconds() * 1000)

    @property
    def newest(self) -> int:
        """The newest revision."""
        return max(self._revision, self.now_ms())
