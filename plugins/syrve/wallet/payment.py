"""A payment from a wallet: hold, run the order, settle; correct when the process ends between any two steps.

Everything that was done is in the ledger under the payment's id, so whoever begins the same payment again goes on where it stopped: each
step is carried out at most once, and tried again only where Syrve certainly did not carry it out.

`charge_off_then_cancel_hold`: the charge comes first, so that the money is never free in between; the hold is cancelled after. Where the
wallet does not hold the sum twice, Syrve refuses that charge: the money it needs is the money set aside. Only then is the hold cancelled
first and the charge made right after; and only if the cancellation is confirmed, because a hold that can't be cancelled may have been
consumed at the till, and charging would then take the money twice.

`pos_consumes_hold`: the till takes the held money while it processes the order, so there is nothing to charge. That it did is recorded
where the order says so (`note_consumed`), or by an import; until then the hold counts as open.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Self

from syrve.api.errors import SyrveError
from syrve.wallet.attempts import carry_out, latest_attempt
from syrve.wallet.errors import (
    OrderFailed,
    PaymentBusy,
    PaymentRefused,
    PaymentUnsettled,
    UnusableOperation,
    WalletError,
)
from syrve.wallet.money import Money
from syrve.wallet.operations import Kind, Operation, OperationState
from syrve.wallet.orders import OrderState, order_state, record_order
from syrve.wallet.settings import POLICIES, PaymentPolicy
from syrve.warehouse.errors import WarehouseError, WarehouseUnavailable

log = logging.getLogger(__name__)

SOURCE = "payment"
_LOCK_WAIT_SECONDS = 0.2


class OrderOutcomeUnknown(Exception):
    """Raise it in the block of a payment where nobody knows whether the order went through: the hold is then left as it is."""


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What to pay; the same `payment_id` (the order's id where left out) is the same payment, a new try after a refusal needs a new one."""

    organization_id: str
    customer_id: str
    wallet_id: str
    amount: Decimal
    order_id: str
    payment_id: str = ""
    comment: str | None = None

    @property
    def key(self) -> str:
        """The payment's id."""
        return self.payment_id or self.order_id


@dataclass(frozen=True, slots=True)
class PaymentResult:
    """How a payment ended: `is_paid` where the money was taken; `unsettled` are operations that somebody has to look at."""

    hold_id: str | None
    charge_id: str | None
    is_paid: bool
    hold_is_open: bool
    unsettled: tuple[str, ...] = field(default=())


class Payment:
    """One payment, as a context manager or by `begin` and then `complete` or `fail`.

    The block runs the order and must be safe to repeat, since a process may die inside it; `order_is_completed` tells a resumed payment
    that it need not. An exception of the block means that the order failed: the hold is cancelled and the exception goes on. Raises
    `PaymentRefused`, `PaymentUnsettled`, `OrderFailed`, and what may pass by itself: `MoneyNotSent`, `SyrveError`, `WarehouseError`.
    """

    def __init__(
        self, money: Money, request: PaymentRequest, *, policy: PaymentPolicy = "charge_off_then_cancel_hold"
    ) -> None:
        if policy not in POLICIES:
            raise UnusableOperation(f"the policy must be one of {', '.join(POLICIES)}")
        self._money = money
        self._ledger = money.ledger
        self._request = request
        self._policy = policy
        self._stack = ExitStack()
        self.order_is_completed = False
        self.result: PaymentResult | None = None

    def __enter__(self) -> Self:
        self._stack.enter_context(self.locked())
        try:
            self.begin()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._stack:
            if error is None:
                self.complete()
            elif isinstance(error, Exception) and not isinstance(error, OrderOutcomeUnknown):
                self._fail_because_of(error)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process off this payment for the block; raises `PaymentBusy` where one is at it."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self._ledger.alone(f"payment {self._key('lock')}", wait_seconds=_LOCK_WAIT_SECONDS))
            except WarehouseUnavailable:
                raise PaymentBusy("another process is at this payment, or the warehouse is away") from None
            yield

    def note_consumed(self, **evidence: str) -> None:
        """Record that the till took the held money, and commit; `evidence` is such as the receipt's id, and the same when repeated."""
        operation = self._operation("chargeoff", "consumption", of_hold=True, consumes_hold=True)
        self._ledger.observe(operation, "confirmed", {"reason": "order_service"} | evidence)
        self._money.step("consumption recorded")

    def begin(self) -> None:
        """Set the money aside, or find that it was; afterwards the order may be run."""
        order = self._order()
        hold = self._latest("hold")
        if hold is None:
            self._set_order("open")
            self._money.step("order opened")
        elif order in ("failed", "cancelled"):
            self._give_back()
            if hold.state == "rejected":
                raise PaymentRefused("Syrve refused to set the money aside; nothing was taken")
            raise OrderFailed("the order of this payment failed or was cancelled; its hold was given back")
        hold = self._carry_out("hold", "hold")
        if hold.state == "rejected":
            self._set_order("failed")
            raise PaymentRefused(f"Syrve refused to set the money aside ({hold.evidence.get('code', 'no code')})")
        if hold.state != "confirmed" or self._ledger.transaction_id(hold.operation_id) is None:
            self._set_order("failed")
            self._give_back()
            raise PaymentUnsettled(
                f"whether the hold {hold.operation_id} was made, or its id at Syrve, is not known; the order is not run"
            )
        self.order_is_completed = order == "completed"
        if not self.order_is_completed and self._ledger.hold_ended_by(hold.operation_id) == "cancelled":
            raise PaymentRefused("the hold of this payment was cancelled meanwhile; begin a payment of a new id")

    def complete(self) -> PaymentResult:
        """Say that the order went through, and settle the payment by its policy."""
        if not self.order_is_completed:
            self._set_order("completed")
            self.order_is_completed = True
        self._money.step("order completed")
        if self._policy == "pos_consumes_hold":
            self.result = self._expect_consumption()
        else:
            self.result = self._charge_off_then_cancel_hold()
        return self.result

    def fail(self) -> PaymentResult:
        """Say that the order failed, and give the held money back; one that was completed can't fail any more."""
        if self._order() == "completed":
            raise PaymentUnsettled("the order was completed before; begin the payment again to settle it")
        self._set_order("failed")
        self._money.step("order failed")
        cancelled = self._give_back()
        self.result = self._result(None, cancelled)
        return self.result

    def _fail_because_of(self, error: Exception) -> None:
        if self.order_is_completed:
            error.add_note("the order was completed before; begin the payment again to settle it")
            return
        try:
            self.fail()
        except (SyrveError, WarehouseError, WalletError) as problem:
            error.add_note(
                f"the hold is not given back yet ({type(problem).__name__}); begin the payment again to do so"
            )
            log.warning("The hold of payment %s is not given back yet: %s", self._request.key, type(problem).__name__)

    def _charge_off_then_cancel_hold(self) -> PaymentResult:
        charge = self._carry_out("charge", "chargeoff", of_hold=True)
        if charge.state == "rejected":
            return self._cancel_hold_then_charge_off()
        if charge.state != "confirmed":
            raise PaymentUnsettled(
                f"it is not known whether the charge {charge.operation_id} was made; the hold is left open"
            )
        return self._result(charge, self._give_back())

    def _cancel_hold_then_charge_off(self) -> PaymentResult:
        cancelled = self._give_back()
        if cancelled is None or cancelled.state != "confirmed":
            raise PaymentUnsettled(
                "the charge was refused and the hold could not be cancelled: it may have been consumed, so nothing more is charged"
            )
        charge = self._carry_out("charge_after_cancel", "chargeoff", of_hold=True)
        if charge.state == "rejected":
            raise PaymentRefused("the order is completed, but Syrve refuses to charge for it; its hold was given back")
        if charge.state != "confirmed":
            raise PaymentUnsettled(f"it is not known whether the charge {charge.operation_id} was made")
        return self._result(charge)

    def _expect_consumption(self) -> PaymentResult:
        return self._result(self._ledger.find(SOURCE, self._key("consumption")))

    def _result(self, charge: OperationState | None, cancelled: OperationState | None = None) -> PaymentResult:
        hold = self._latest("hold")
        was_made = hold is not None and hold.state != "rejected"
        is_open = hold is not None and was_made and self._ledger.hold_ended_by(hold.operation_id) is None
        open_ones = [each for each in (hold, cancelled) if each is not None and each.state != "confirmed"]
        return PaymentResult(
            hold_id=None if hold is None else hold.operation_id,
            charge_id=None if charge is None else charge.operation_id,
            is_paid=charge is not None,
            hold_is_open=is_open,
            unsettled=tuple(each.operation_id for each in open_ones) if is_open else (),
        )

    def _give_back(self) -> OperationState | None:
        """Cancel the hold; None where there is none to cancel, or its id at Syrve is not known."""
        hold = self._latest("hold")
        if hold is None or hold.state in ("planned", "rejected"):
            if hold is not None:
                self._ledger.drop(hold.operation_id, "the order failed first")
            return None
        if self._ledger.transaction_id(hold.operation_id) is None or self._is_consumed(hold):
            return None
        return self._carry_out("cancel", "cancel_hold", of_hold=True)

    def _is_consumed(self, hold: OperationState) -> bool:
        return self._ledger.hold_ended_by(hold.operation_id) == "consumed"

    def _carry_out(self, step: str, kind: Kind, *, of_hold: bool = False) -> OperationState:
        return carry_out(self._money, self._operation(kind, step, of_hold=of_hold))

    def _latest(self, step: str) -> OperationState | None:
        return latest_attempt(self._money, SOURCE, self._key(step))

    def _operation(self, kind: Kind, step: str, *, of_hold: bool, consumes_hold: bool = False) -> Operation:
        request = self._request
        hold = self._latest("hold") if of_hold else None
        return Operation(
            kind=kind,
            organization_id=request.organization_id,
            customer_id=request.customer_id,
            wallet_id=request.wallet_id,
            amount=request.amount,
            order_id=request.order_id,
            hold_id=None if hold is None else hold.operation_id,
            comment=request.comment,
            consumes_hold=consumes_hold,
            source=SOURCE,
            key=self._key(step),
        )

    def _key(self, step: str) -> str:
        return f"{self._request.organization_id}:{self._request.key}:{step}"

    def _order(self) -> OrderState | None:
        return order_state(self._ledger.warehouse, self._request.organization_id, self._request.order_id)

    def _set_order(self, state: OrderState) -> None:
        request = self._request
        record_order(
            self._ledger.warehouse,
            request.organization_id,
            request.order_id,
            state,
            amount=request.amount,
            source=SOURCE,
        )
