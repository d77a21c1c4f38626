"""The steps of one payment: its operations in the ledger by their names, and the locks under which they are carried out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from syrve.wallet.attempts import carry_out, latest_attempt
from syrve.wallet.errors import PaymentBusy, UnusableOperation
from syrve.wallet.money import Money
from syrve.wallet.operations import Kind, Operation, OperationState
from syrve.wallet.payment_book import KnownPayment, PaymentBook, PaymentRequest, Step
from syrve.wallet.settle import Settler
from syrve.warehouse.database import Connection
from syrve.warehouse.errors import WarehouseUnavailable

SOURCE = "payment"
_LOCK_WAIT_SECONDS = 0.2


class PaymentSteps:
    """Finds, carries out and settles the operations of one payment; what to do next is the payment's to say.

    Raises `PaymentBusy`, `UnusableOperation`, `MoneyNotSent`, a `SyrveError` or `WarehouseError`.
    """

    def __init__(self, money: Money, request: PaymentRequest) -> None:
        self.book = PaymentBook(money.ledger, request)
        self.known: KnownPayment | None = None
        self._money = money
        self._ledger = money.ledger
        self._request = request
        self._locks: ExitStack | None = None
        self._lock_connection: Connection | None = None

    def payment(self) -> KnownPayment:
        """Return the payment of the ledger. Raises `UnusableOperation` if it was not begun."""
        self.known = self.known or self.book.find()
        if self.known is None:
            raise UnusableOperation("the payment was not begun; begin it first")
        return self.known

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process off this payment and its hold for the block; raises `PaymentBusy` if one is at it."""
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(
                    self._ledger.alone(f"payment {self._request.step_key('lock')}", wait_seconds=_LOCK_WAIT_SECONDS)
                )
            except WarehouseUnavailable:
                raise PaymentBusy("another process is at this payment, or the warehouse is away") from None
            self._lock_connection, self._locks = connection, stack
            try:
                yield
            finally:
                self._lock_connection = self._locks = None

    def keep_off(self, hold: OperationState) -> None:
        """Keep release and settling off the hold while the order runs, if the caller locks the payment."""
        if self._locks is not None:
            self._locks.enter_context(self.alone_with(hold))

    @contextmanager
    def alone_with(self, hold: OperationState) -> Iterator[None]:
        """Keep every other process off the hold for the block; raises `PaymentBusy` if one is at it."""
        with ExitStack() as stack:
            try:
                stack.enter_context(
                    self._ledger.alone_with_hold(
                        hold.operation_id,
                        wait_seconds=self._money.settings.lock_wait_seconds,
                        connection=self._lock_connection,
                    )
                )
            except WarehouseUnavailable:
                raise PaymentBusy("another process is at the hold of this payment, or the warehouse is away") from None
            yield

    def carry_out(self, step: Step, kind: Kind, *, of_hold: bool = False) -> OperationState:
        """Carry a step out at most once, or go on with it; returns its latest attempt."""
        return carry_out(self._money, self.operation(kind, step, of_hold=of_hold))

    def latest(self, step: Step) -> OperationState | None:
        """Return the latest attempt of a step, None if there was none."""
        return latest_attempt(self._money, SOURCE, self._request.step_key(step))

    def operation(self, kind: Kind, step: Step, *, of_hold: bool, consumes_hold: bool = False) -> Operation:
        """Describe a step as an operation of this payment."""
        request = self._request
        hold = self.latest("hold") if of_hold else None
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
            key=self._request.step_key(step),
            payment_id=self.payment().payment_id,
        )

    def settle_what_is_unknown(self) -> None:
        """Look for evidence of what earlier processes of this payment left without an outcome."""
        steps: tuple[Step, ...] = ("hold", "charge", "charge_after_cancel", "cancel")
        for step in steps:
            known = self.latest(step)
            if known is not None and (known.state in ("sent", "unknown") or known.is_by_balance):
                Settler(self._money).settle(known.operation_id)

    def drop_what_is_planned(self, why: str) -> None:
        """Give up what earlier processes of this payment planned and will not be sent any more."""
        steps: tuple[Step, ...] = ("charge", "charge_after_cancel", "cancel")
        for step in steps:
            known = self.latest(step)
            if known is not None and known.state == "planned":
                self._ledger.drop(known.operation_id, why)
