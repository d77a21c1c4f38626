"""What the simulator itself wrote down: holds, charges, and how it answered each money call."""

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from syrve_simulator.control import SimulatorControl

Answer = Literal["granted", "refused", "unclear"]
UNCLEAR_FAULTS = frozenset({"reset_before", "reset_after", "truncate", "not_json", "stall"})
REFUSED_UNREAD = frozenset({302, 401, 403, 429})
"""Statuses after which the same may be asked again: the call was not looked at."""
CHARGE_TYPE = 32


@dataclass(frozen=True, slots=True)
class BookHold:
    """A hold in the simulator's list."""

    hold_id: str
    customer_id: str
    wallet_id: str
    amount: Decimal
    comment: str
    opened_at: datetime
    state: str
    ended_at: datetime | None

    def is_open(self, moment: datetime) -> bool:
        return self.opened_at <= moment and (self.ended_at is None or self.ended_at > moment)


@dataclass(frozen=True, slots=True)
class BookCharge:
    """Money that left a wallet through the API."""

    customer_id: str
    wallet_id: str
    amount: Decimal
    comment: str
    charged_at: datetime


@dataclass(frozen=True, slots=True)
class BookCall:
    """A call that reached the simulator, with how it was answered."""

    operation: str
    received_at: datetime
    body: Mapping[str, Any]
    fault: str | None
    status: int | None

    @property
    def answer(self) -> Answer:
        """What the caller could read from the answer."""
        if self.fault in UNCLEAR_FAULTS or self.status is None or self.status >= 500:
            return "unclear"
        return "granted" if self.status == 200 else "refused"


@dataclass(frozen=True, slots=True)
class Book:
    """All of one organization."""

    holds: tuple[BookHold, ...]
    charges: tuple[BookCharge, ...]
    calls: tuple[BookCall, ...]

    def of(self, customers: Set[str]) -> "Book":
        """What concerns these customers."""
        holds = tuple(each for each in self.holds if each.customer_id in customers)
        asked = [each.body for each in self.calls if each.body.get("customerId") in customers]
        theirs = {each.hold_id for each in holds} | {
            each["transactionId"] for each in asked if each.get("transactionId")
        }
        known = {each.hold_id for each in self.holds} | {
            each.body.get("transactionId") for each in self.calls if each.operation == "wallet_hold"
        }
        charges = tuple(each for each in self.charges if each.customer_id in customers)
        calls = tuple(
            each
            for each in self.calls
            if each.body.get("customerId") in customers
            or each.body.get("transactionId") in theirs
            or (each.operation == "wallet_cancel_hold" and each.body["transactionId"] not in known)  # nobody's
        )
        return Book(holds, charges, calls)

    def hold(self, hold_id: str) -> BookHold | None:
        return next((each for each in self.holds if each.hold_id == hold_id), None)

    def hold_with(self, marker: str) -> BookHold | None:
        return next((each for each in self.holds if marker in each.comment), None)

    def charge_with(self, marker: str) -> BookCharge | None:
        return next((each for each in self.charges if marker in each.comment), None)

    def own_money_calls(self) -> Counter[str]:
        """How often each operation of ours reached the simulator, by what the call itself says: our marker, or the hold to cancel.

        Cancellations that were refused unread are left out: the next attempt is another operation, but the call shows only the hold.
        """
        ours = {each.hold_id for each in self.holds if "#" in each.comment}
        counted: Counter[str] = Counter()
        for call in self.calls:
            if call.operation == "wallet_cancel_hold":
                is_ours, what = call.body["transactionId"] in ours, call.body["transactionId"]
                is_ours = is_ours and not (call.answer == "refused" and call.status in REFUSED_UNREAD)
            else:
                is_ours, what = "#" in str(call.body.get("comment")), call.body.get("comment")
            if is_ours:
                counted[f"{call.operation} {what}"] += 1
        return counted


def read_book(control: SimulatorControl, organization_id: str) -> Book:
    """Read what the simulator knows of an organization."""
    holds = [
        BookHold(
            each["transaction_id"],
            each["customer_id"],
            each["wallet_id"],
            Decimal(each["sum"]),
            each["comment"] or "",
            datetime.fromisoformat(each["created_at"]),
            each["state"],
            None if each["ended_at"] is None else datetime.fromisoformat(each["ended_at"]),
        )
        for each in control.holds(organization_id=organization_id)
    ]
    charges = [
        BookCharge(
            each["customer_id"],
            each["wallet_id"],
            -Decimal(each["sum"]),
            each["comment"] or "",
            datetime.fromisoformat(each["created_at"]),
        )
        for each in control.transactions(organization_id=organization_id)
        if each["type"] == CHARGE_TYPE
    ]
    calls = [
        BookCall(
            each["operation"],
            datetime.fromisoformat(each["received_at"]),
            each["body"] or {},
            each["fault"],
            each["status"],
        )
        for each in control.recorded_requests()
        if (each["body"] or {}).get("organizationId") == organization_id
    ]
    return Book(tuple(holds), tuple(charges), tuple(calls))
