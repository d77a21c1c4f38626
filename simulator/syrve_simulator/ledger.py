"""What happened to money: holds and transactions, as records; `bank` makes them happen."""

from __future__ import annotations

import heapq
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from syrve_simulator.clock import Clock

HoldState = Literal["open", "cancelled", "expired", "consumed"]


class Account(NamedTuple):
    """A wallet of one customer in one organization, both by position."""

    organization: int
    customer: int
    wallet_id: str


@dataclass(slots=True, kw_only=True)
class Hold:
    """Money set aside; `expires_at` is in seconds on the ledger's clock, `ended_at` null while it is open."""

    hold_id: str
    account: Account
    customer_id: str
    sum: Decimal
    comment: str | None
    created_at: datetime
    state: HoldState = "open"
    expires_at: float | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One movement; `sum` is signed, `balance_before` and `balance_after` are what customer/info showed then, times are in UTC."""

    transaction_id: str
    revision: int
    account: Account
    customer_id: str
    type: int
    type_name: str
    sum: Decimal
    balance_before: Decimal
    balance_after: Decimal
    comment: str | None
    made_by: str | None
    created_at: datetime
    visible_at: float
    order_id: str | None = None
    order_number: int | None = None
    order_sum: Decimal | None = None
    program_id: str | None = None


@dataclass(slots=True)
class _Customer:
    """What one customer of one organization has in the ledger."""

    open_holds: list[Hold] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)


class Ledger:
    """All holds and transactions; revisions count up over all customers."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.next_expiry: float | None = None
        self._customers: dict[tuple[int, int], _Customer] = {}
        self._holds: dict[tuple[int, str], list[Hold]] = {}
        self._expiring: list[tuple[float, int, Hold]] = []
        self._transactions: list[Transaction] = []

    def held(self, account: Account) -> Decimal:
        """Return how much of a wallet open holds set aside."""
        customer = self._customers.get(account[:2])
        holds = customer.open_holds if customer else []
        return sum((hold.sum for hold in holds if hold.account.wallet_id == account.wallet_id), Decimal(0))

    def holds_of(self, organization: int, customer: int) -> bool:
        """Say whether a customer has an open hold."""
        found = self._customers.get((organization, customer))
        return found is not None and bool(found.open_holds)

    def open(self, hold: Hold, lifetime_seconds: float | None) -> None:
        """Take a hold in; it expires after `lifetime_seconds`, or never."""
        self._holds.setdefault((hold.account.organization, hold.hold_id), []).append(hold)
        self._customer(hold.account).open_holds.append(hold)
        if lifetime_seconds is not None:
            hold.expires_at = self.clock.seconds() + lifetime_seconds
            heapq.heappush(self._expiring, (hold.expires_at, id(hold), hold))
            self.next_expiry = self._expiring[0][0]

    def close(self, hold: Hold, state: HoldState, ended_at: datetime) -> None:
        """End an open hold in that state."""
        hold.state = state
        hold.ended_at = ended_at
        open_holds = self._customer(hold.account).open_holds
        open_holds[:] = [one for one in open_holds if one is not hold]

    def take_due(self) -> Iterator[Hold]:
        """Yield the open holds whose time is over; the caller closes each."""
        now = self.clock.seconds()
        while self._expiring and self._expiring[0][0] <= now:
            hold = heapq.heappop(self._expiring)[2]
            if hold.state == "open":
                yield hold
        self.next_expiry = self._expiring[0][0] if self._expiring else None

    def find(self, organization: int, hold_id: str) -> list[Hold]:
        """Return the holds with that id, in the order they were made."""
        return self._holds.get((organization, hold_id), [])

    def holds(self) -> Iterator[Hold]:
        """Yield every hold ever made."""
        for same_id in self._holds.values():
            yield from same_id

    def record(self, transaction: Transaction) -> None:
        """Add a transaction."""
        self._customer(transaction.account).transactions.append(transaction)
        self._transactions.append(transaction)

    @property
    def next_revision(self) -> int:
        """The revision of the next transaction."""
        return len(self._transactions) + 1

    def transactions(self) -> list[Transaction]:
        """Return every transaction ever made, by revision."""
        return self._transactions

    def visible(self, organization: int, customer: int) -> list[Transaction]:
        """Return the transactions of a customer that can be read by now, by revision."""
        found = self._customers.get((organization, customer))
        now = self.clock.seconds()
        return [one for one in found.transactions if one.visible_at <= now] if found else []

    def _customer(self, account: Account) -> _Customer:
        return self._customers.setdefault(account[:2], _Customer())


def new_id() -> str:
    """Return a new id."""
    return str(uuid.uuid4())
