"""A payment from a wallet: hold, run the order, settle; correct when the process ends between any two steps.

A payment is a row (`wallet.payment`). Its state follows from its own operations and its caller's reports; never from the order's
state, which several payments and others write. The same payment begun again goes on where it stopped: each step is carried out
at most once, and tried again only if Syrve certainly did not carry it out.

Before any charge the end of the hold is read, under the lock that release and settling take too. A hold that was consumed is paid. A hold
that was cancelled, by anyone, leaves an order that ran to be charged. An outcome that only a balance shows authorizes no further call.

`charge_off_then_cancel_hold`: the charge comes first, so that the money is never free in between; the hold is cancelled after. If the
wallet does not have the sum twice, Syrve refuses that charge: the money it needs is the money set aside. Only then is the hold cancelled
first and the charge made right after; and only if the cancellation is confirmed, because a hold that can't be cancelled may have been
consumed at the till, and charging would then take the money twice.

`pos_consumes_hold`: the till takes the held money while it processes the order, so there is nothing to charge. That it did is recorded
if the order says so (`note_consumed`), or by an import; until then the hold counts as open.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import ClassVar, Self

from syrve.api.errors import SyrveError
from syrve.errors import SyrveProviderError
from syrve.wallet.errors import (
    OrderFailed,
    PaymentRefused,
    PaymentUnsettled,
    UnusableOperation,
    WalletError,
)
from syrve.wallet.ledger import HoldEnd
from syrve.wallet.money import Money
from syrve.wallet.money_settings import POLICIES, PaymentPolicy
from syrve.wallet.operations import OperationState
from syrve.wallet.payment_book import KnownPayment, PaymentRequest, PaymentResult, Reported
from syrve.wallet.payment_steps import PaymentSteps
from syrve.warehouse.errors import WarehouseError

__all__ = ["OrderOutcomeUnknown", "Payment", "PaymentRequest", "PaymentResult"]

log = logging.getLogger(__name__)


class OrderOutcomeUnknown(SyrveProviderError):
    """Raise it in the block of a payment if it is not known whether the order went through: the hold is then left as it is."""

    retry_after_seconds: ClassVar[float | None] = 60.0


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
        self._steps = PaymentSteps(money, request)
        self._book = self._steps.book
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
        """Keep every other process off this payment and its hold for the block; raises `PaymentBusy` if one is at it."""
        with self._steps.locked():
            yield

    @property
    def was_begun(self) -> bool:
        """Whether the payment is in the ledger. Raises `LedgerConflict` if its id is taken by other content."""
        return self._book.find() is not None

    def note_consumed(self, **evidence: str) -> None:
        """Record that the till took the held money, and commit; `evidence` is such as the receipt's id, and the same when repeated."""
        operation = self._steps.operation("chargeoff", "consumption", of_hold=True, consumes_hold=True)
        self._ledger.observe(operation, "confirmed", {"reason": "order_service"} | evidence)
        self._money.step("consumption recorded")

    def begin(self) -> None:
        """Set the money aside, or find that it was; afterwards the order may be run."""
        known = self._steps.known = self._book.begin(self._policy)
        if known.policy != self._policy:
            log.warning("Payment %s goes on by the policy that it was begun with, %s", self._request.key, known.policy)
        self._money.step("payment begun")
        self.order_is_completed = known.reported == "order_completed"
        if self.order_is_completed:
            return
        if known.reported == "order_failed":
            result = self._result(None, self._give_back())
            what = "may still be open: reconciliation shows it" if result.hold_is_open else "was given back"
            raise OrderFailed(f"the order of this payment failed or was cancelled; its hold {what}")
        if self._steps.latest("hold") is None:
            self._book.report_order(known, "open")
            self._money.step("order opened")
        hold = self._steps.carry_out("hold", "hold")
        if hold.state == "rejected":
            self._book.report_order(known, "failed")
            raise PaymentRefused(f"Syrve refused to set the money aside ({hold.evidence.get('code', 'no code')})")
        if hold.state != "confirmed" or self._ledger.transaction_id(hold.operation_id) is None:
            self._report_failed(why="hold_unsettled")
            self._give_back()
            raise PaymentUnsettled(
                f"whether the hold {hold.operation_id} was made, or its id at Syrve, is not known; the order is not run"
            )
        self._steps.keep_off(hold)
        if self._ledger.hold_ended_by(hold.operation_id) == "cancelled":
            raise PaymentRefused(
                "the hold of this payment was cancelled before its order was reported: if the order did not run, fail this one and begin "
                "a payment of a new id; if it did, complete this one: it is charged, or found unpaid where the till was to consume the hold"
            )

    def complete(self) -> PaymentResult:
        """Report that the order went through, and settle the payment by its policy; what became of the hold does not matter.

        Raises `OrderFailed` if the payment failed before and its money was given back: that one is never charged any more.
        """
        known = self._report("order_completed")
        self._book.report_order(known, "completed")
        if known.reported == "order_failed":
            raise OrderFailed(
                "this payment failed before, so it is never charged; if its order went through after all, pay by a payment of a new id"
            )
        self.order_is_completed = True
        self._money.step("order completed")
        hold = self._steps.latest("hold")
        if hold is None or hold.state == "planned":
            raise UnusableOperation("the payment was not begun: it has no hold; begin it, then complete it")
        with self._steps.alone_with(hold):
            self._steps.settle_what_is_unknown()
            self.result = self._collect(hold)
            if self.result.is_paid and not self.result.hold_is_open:
                self._steps.drop_what_is_planned("the payment is paid and its hold is over")
        return self.result

    def fail(self) -> PaymentResult:
        """Report that the order failed, and give the held money back; one that was completed can't fail any more."""
        known = self._report_failed(why="order_failed")
        if known.reported == "order_completed":
            raise PaymentUnsettled("the order was completed before; begin the payment again to settle it")
        self._money.step("order failed")
        self.result = self._result(None, self._give_back())
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

    def _collect(self, hold: OperationState) -> PaymentResult:
        """Take the money of an order that ran, once, by what is known of the hold and of charges before."""
        end = self._ledger.hold_end(hold.operation_id)
        if end is None and hold.state == "rejected":
            end = HoldEnd("rejected", hold.basis, None)
        if end is not None and end.by == "consumed":
            return self._result(self._ending(end))
        if self._steps.payment().policy == "pos_consumes_hold":
            return self._expect_consumption(end)
        charge = self._steps.latest("charge_after_cancel") or self._steps.latest("charge")
        if charge is None or charge.state in ("planned", "rejected"):
            charge = self._charge(hold, end, charge)
            end = self._ledger.hold_end(hold.operation_id)
        if charge.state != "confirmed":
            if end is not None and end.by == "consumed":
                return self._result(self._ending(end))
            raise PaymentUnsettled(f"it is not known whether the charge {charge.operation_id} was made")
        if end is None and charge.is_by_balance:
            raise PaymentUnsettled(
                f"only the balance shows the charge {charge.operation_id}: the hold is left open until a report or a person confirms it"
            )
        return self._result(charge, self._give_back() if end is None else None)

    def _charge(self, hold: OperationState, end: HoldEnd | None, before: OperationState | None) -> OperationState:
        """Charge for the order; returns the charge, which is not rejected. Raises `PaymentRefused` and `PaymentUnsettled`."""
        if before is not None and before.state == "rejected" and before.is_by_balance:
            raise PaymentUnsettled(
                f"only the balance shows that the charge {before.operation_id} was not made: nothing more is charged until a report "
                "or a person confirms it"
            )
        if self._ledger.cancel_is_unknown(hold.operation_id):
            raise PaymentUnsettled("it is not known whether the hold was cancelled, so nothing is charged yet")
        if end is None:
            charge = self._steps.carry_out("charge", "chargeoff", of_hold=True)
            end = self._ledger.hold_end(hold.operation_id)
            if charge.state != "rejected" or (end is not None and end.by == "consumed"):
                return charge
            if charge.is_by_balance:
                raise PaymentUnsettled(f"only the balance shows that the charge {charge.operation_id} was not made")
            if end is None:
                end = self._cancel_before_charge(hold)
        if not end.is_certain:
            raise PaymentUnsettled(
                "only the balance shows that the hold was cancelled: nothing is charged until more does"
            )
        charge = self._steps.carry_out("charge_after_cancel", "chargeoff", of_hold=True)
        if charge.state == "rejected" and self._ledger.hold_ended_by(hold.operation_id) != "consumed":
            if charge.is_by_balance:
                raise PaymentUnsettled(f"only the balance shows that the charge {charge.operation_id} was not made")
            raise PaymentRefused("the order is completed, but Syrve refuses to charge for it; its hold was given back")
        return charge

    def _cancel_before_charge(self, hold: OperationState) -> HoldEnd:
        """Give the hold back, since the money for the charge is in it."""
        cancelled = self._give_back()
        end = self._ledger.hold_end(hold.operation_id)
        if end is None or end.by == "consumed" or cancelled is None:
            raise PaymentUnsettled(
                "the charge was refused and the hold could not be cancelled: it may have been consumed, so nothing more is charged"
            )
        return end

    def _expect_consumption(self, end: HoldEnd | None) -> PaymentResult:
        if end is not None and end.by == "cancelled":
            raise PaymentRefused(
                "the order is completed, but its hold was cancelled before the till took the money; nothing is charged, because the "
                "till may have taken it in another way"
            )
        return self._result(None)

    def _ending(self, end: HoldEnd) -> OperationState | None:
        return None if end.operation_id is None else self._ledger.state(end.operation_id)

    def _result(self, charge: OperationState | None, cancelled: OperationState | None = None) -> PaymentResult:
        hold = self._steps.latest("hold")
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
        """Cancel the hold; None if there is none to cancel, another process ended it, or its id at Syrve is not known."""
        hold = self._steps.latest("hold")
        if hold is None or hold.state in ("planned", "rejected"):
            if hold is not None:
                self._ledger.drop(hold.operation_id, "the order failed first")
            return None
        with self._steps.alone_with(hold):
            if self._ledger.transaction_id(hold.operation_id) is None:
                return None
            known = self._steps.latest("cancel")
            if known is None and self._ledger.hold_ended_by(hold.operation_id) is not None:
                return None
            return self._steps.carry_out("cancel", "cancel_hold", of_hold=True)

    def _report(self, reported: Reported, *, why: str = "caller") -> KnownPayment:
        """Record what the caller reports of its order; returns the payment with the report that counts, which is the first."""
        known = self._steps.payment()
        if known.reported == "begun":
            known = self._steps.known = self._book.report(known, reported, {"reason": why})
        return known

    def _report_failed(self, *, why: str) -> KnownPayment:
        known = self._report("order_failed", why=why)
        if known.reported == "order_failed":
            self._book.report_order(known, "failed")
        return known
