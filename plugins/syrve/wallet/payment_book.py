"""Payments in the ledger: what was asked for, and what the caller reported of its order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, get_args

from syrve.wallet.errors import LedgerConflict, UnusableOperation
from syrve.wallet.ledger import Ledger
from syrve.wallet.money_settings import PaymentPolicy
from syrve.wallet.operations import MAX_TEXT_LENGTH, Operation
from syrve.warehouse.copy_text import json_text
from syrve.warehouse.database import Cursor
from syrve.warehouse.sql_files import sql

Reported = Literal["begun", "order_completed", "order_failed"]
Step = Literal["hold", "charge", "charge_after_cancel", "cancel", "consumption", "lock"]

_ATTEMPTS_DIGITS = 4


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What to pay; the same `payment_id` (the order's id if left out) is the same payment, a new try after a refusal needs a new one."""

    organization_id: str
    customer_id: str
    wallet_id: str
    amount: Decimal
    order_id: str
    payment_id: str = ""
    comment: str | None = None

    @property
    def key(self) -> str:
        """The caller's id of the payment."""
        return self.payment_id or self.order_id

    def step_key(self, step: Step) -> str:
        """The key of a step, to which the number of the attempt is added."""
        return f"{self.organization_id}:{self.key}:{step}"

    @property
    def longest_key(self) -> str:
        """The longest key that any step may get: one that is too long has to be refused before the money is set aside."""
        return max(map(self.step_key, get_args(Step)), key=len) + ":" + "9" * _ATTEMPTS_DIGITS


@dataclass(frozen=True, slots=True)
class PaymentResult:
    """How a payment ended: `is_paid` if the money was taken; `unsettled` are operations that a person has to look at."""

    hold_id: str | None
    charge_id: str | None
    is_paid: bool
    hold_is_open: bool
    unsettled: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class KnownPayment:
    """A payment of the ledger: its id there, what its caller reported last, and the policy that it was begun with, which stays."""

    payment_id: str
    reported: Reported
    policy: PaymentPolicy


class PaymentBook:
    """Reads and writes one payment of one warehouse; each method commits. Raises `WarehouseError`."""

    def __init__(self, ledger: Ledger, request: PaymentRequest) -> None:
        self._ledger = ledger
        self._warehouse = ledger.warehouse
        self._request = request
        self._values: dict[str, Any] = {
            "organization_id": request.organization_id,
            "payment_key": request.key,
            "order_id": request.order_id,
            "customer_id": request.customer_id,
            "wallet_id": request.wallet_id,
            "amount": request.amount,
        }

    def begin(self, policy: PaymentPolicy) -> KnownPayment:
        """Record the payment, or find it. Raises `LedgerConflict` if its key has other content, and `UnusableOperation`."""
        self._check()
        with self._warehouse.transaction("begin a payment") as cursor:
            cursor.execute(sql("payment/begin.sql"), self._values | {"policy": policy})
            found = self._find(cursor)
        assert found is not None
        return found

    def find(self) -> KnownPayment | None:
        """Read the payment; None if it was not begun. Raises `LedgerConflict` if its key has other content."""
        with self._warehouse.transaction("look for a payment") as cursor:
            return self._find(cursor)

    def report(
        self, payment: KnownPayment, reported: Reported, evidence: Mapping[str, str] | None = None
    ) -> KnownPayment:
        """Record what the caller reports of its order, and return the payment with the report that counts: the first one."""
        values = {"payment_id": payment.payment_id, "state": reported, "evidence": json_text(dict(evidence or {}))}
        with self._warehouse.transaction(f"report {reported} of a payment") as cursor:
            cursor.execute(sql("payment/report.sql"), values)
            found = self._find(cursor)
        assert found is not None
        return found

    def report_order(self, payment: KnownPayment, state: Literal["open", "completed", "failed"]) -> None:
        """Report the state of the order, unless other payments of it or others' reports have the say."""
        with self._warehouse.transaction(f"record that an order is {state}") as cursor:
            cursor.execute(sql("payment/order.sql"), {"payment_id": payment.payment_id, "state": state})

    def _check(self) -> None:
        """Raise `UnusableOperation` if any step of the payment could not be taken into the ledger."""
        request = self._request
        if len(request.longest_key) > MAX_TEXT_LENGTH:
            over = len(request.longest_key) - MAX_TEXT_LENGTH
            raise UnusableOperation(f"payment: the payment_id must have at most {len(request.key) - over} characters")
        self._ledger.check(
            Operation(
                kind="hold",
                organization_id=request.organization_id,
                customer_id=request.customer_id,
                wallet_id=request.wallet_id,
                amount=request.amount,
                order_id=request.order_id,
                comment=request.comment,
                source="payment",
                key=request.longest_key,
            )
        )

    def _find(self, cursor: Cursor) -> KnownPayment | None:
        cursor.execute(sql("payment/find.sql"), self._values)
        row = cursor.fetchone()
        if row is None:
            return None
        payment_id, reported, is_same, policy = row
        if not is_same:
            raise LedgerConflict(
                f"the payment {self._values['payment_key']!r} is known with another order, wallet or amount; "
                "give a new payment_id for a new payment, and the same content for the same one"
            )
        return KnownPayment(payment_id, reported, policy)
