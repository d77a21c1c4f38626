"""Operators that move money through the ledger, and a payment as a task group."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import TaskGroup, TaskInstanceState, TriggerRule
from airflow.sdk.exceptions import AirflowSkipException

from syrve.hooks.wallet import SyrveWalletHook
from syrve.operators import settings
from syrve.operators.base import SyrveOperator
from syrve.operators.rendered import as_text

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.wallet.money_settings import PaymentPolicy
    from syrve.wallet.operations import OperationState
    from syrve.wallet.payment import Payment, PaymentResult

log = logging.getLogger(__name__)

SOURCE = "operator"
_AMOUNT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


class WalletOperator(SyrveOperator):
    """An operator that moves money, or settles what moved, through the ledger; `amount_scale` is how many decimals amounts have."""

    def __init__(
        self,
        *,
        amount_scale: int = settings.WALLET_SCALE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.amount_scale = amount_scale

    def wallet(self) -> SyrveWalletHook:
        """Return the hook."""
        from syrve.wallet.money_settings import WalletSettings

        self.warehouse()  # which the task's lineage names
        wallet_settings = WalletSettings(amount_scale=int(self.amount_scale))
        return SyrveWalletHook(self.syrve_conn_id, self.warehouse_conn_id, settings=wallet_settings)


class SyrveMoveMoneyOperator(WalletOperator):
    """Moves money from or to one wallet, at most once a `key`; by default the key is the task instance, so clearing it moves nothing again.

    A mapped task needs a `key`: after a clear of the tasks before it, its index may be that of another row.

    Returns `{"operation_id", "state", "hold_id"}`. Fails with `PaymentRefused` if Syrve refused, with `PaymentUnsettled` if the
    outcome is unknown, and is retried only if certainly nothing moved. Use one of the subclasses.
    """

    kind: ClassVar[str]
    template_fields: Sequence[str] = (
        "organization_id",
        "customer_id",
        "wallet_id",
        "amount",
        "order_id",
        "hold_id",
        "key",
    )

    def __init__(
        self,
        *,
        organization_id: str | None = None,
        customer_id: str | None = None,
        wallet_id: str | None = None,
        amount: Decimal | str | int | None = None,
        order_id: str | None = None,
        hold_id: str | None = None,
        comment: str | None = None,
        key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_id = organization_id
        self.customer_id = customer_id
        self.wallet_id = wallet_id
        self.amount = amount
        self.order_id = order_id
        self.hold_id = hold_id
        self.comment = comment
        self.key = key

    def execute(self, context: Context) -> dict[str, Any]:
        """Move the money."""
        done = self._move(as_text(self.key) or _task_instance(context))
        return _result(done)

    def _move(self, key: str) -> OperationState:
        amount = as_amount(self.amount)
        fields = {"organization_id": str(self.organization_id), "customer_id": as_text(self.customer_id)}
        fields |= {"wallet_id": as_text(self.wallet_id), "order_id": as_text(self.order_id), "comment": self.comment}
        hold_id = None if self.kind == "hold" else as_text(self.hold_id)
        return self.wallet().move(self.kind, amount=amount, source=SOURCE, key=key, hold_id=hold_id, **fields)  # type: ignore[arg-type]


class SyrveHoldOperator(SyrveMoveMoneyOperator):
    """Sets money aside; `hold_id` of the result is what cancels it."""

    kind = "hold"


class SyrveTopupOperator(SyrveMoveMoneyOperator):
    """Adds money to a wallet."""

    kind = "topup"


class SyrveChargeoffOperator(SyrveMoveMoneyOperator):
    """Takes money from a wallet; `hold_id` says which hold it settles, which stays open until it is cancelled."""

    kind = "chargeoff"


class SyrveCancelHoldOperator(SyrveMoveMoneyOperator):
    """Cancels a hold of the ledger: `hold_id` is its operation's id, or Syrve's; nothing else is needed."""

    kind = "cancel_hold"

    def _move(self, key: str) -> OperationState:
        return self.wallet().cancel_hold(hold_id=str(self.hold_id), source=SOURCE, key=key)


class _PaymentOperator(WalletOperator):
    """One step of a payment; all steps of one payment have the same parameters."""

    template_fields: Sequence[str] = (
        "organization_id",
        "customer_id",
        "wallet_id",
        "amount",
        "order_id",
        "payment_id",
    )

    def __init__(
        self,
        *,
        organization_id: str,
        customer_id: str,
        wallet_id: str,
        amount: Decimal | str | int,
        order_id: str,
        payment_id: str | None = None,
        comment: str | None = None,
        policy: PaymentPolicy = "charge_off_then_cancel_hold",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_id = organization_id
        self.customer_id = customer_id
        self.wallet_id = wallet_id
        self.amount = amount
        self.order_id = order_id
        self.payment_id = payment_id
        self.comment = comment
        self.policy = policy

    @contextmanager
    def payment(self) -> Iterator[Payment]:
        """Open the payment, with every other process kept off it."""
        from syrve.wallet.errors import UnusableOperation
        from syrve.wallet.payment import Payment, PaymentRequest

        amount, order_id = as_amount(self.amount), as_text(self.order_id)
        if (
            amount is None or order_id is None
        ):  # such as a template of an XCom that is not there: one id for many orders
            raise UnusableOperation("a payment needs an amount and the id of its order")
        request = PaymentRequest(
            organization_id=self.organization_id,
            customer_id=self.customer_id,
            wallet_id=self.wallet_id,
            amount=amount,
            order_id=order_id,
            payment_id=as_text(self.payment_id) or "",
            comment=self.comment,
        )
        with self.wallet().money() as money:
            payment = Payment(money, request, policy=self.policy)
            with payment.locked():
                yield payment


class SyrvePaymentHoldOperator(_PaymentOperator):
    """Sets the money of a payment aside, or finds that it was."""

    def execute(self, context: Context) -> None:
        """Begin the payment."""
        with self.payment() as payment:
            payment.begin()


class SyrvePaymentSettleOperator(_PaymentOperator):
    """Takes the money of a payment whose order went through; returns how it ended."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Settle the payment."""
        with self.payment() as payment:
            return _payment_result(payment.complete())


class SyrvePaymentGiveBackOperator(_PaymentOperator):
    """Gives the money of a payment back whose order did not go through; returns how it ended.

    The tasks right before it are the order's last ones: if each of them succeeded it skips itself. One that failed, was skipped, or never
    ran because of others before it means that the order did not go through.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Cancel the hold."""
        if self.upstream_task_ids and self._order_went_through(context):
            raise AirflowSkipException("The order went through: there is nothing to give back")
        with self.payment() as payment:
            if not payment.was_begun:
                raise AirflowSkipException("The payment was not begun: there is nothing to give back")
            return _payment_result(payment.fail())

    def _order_went_through(self, context: Context) -> bool:
        ti = context["ti"]
        found = ti.get_task_states(
            dag_id=ti.dag_id, task_ids=sorted(self.upstream_task_ids), run_ids=[context["run_id"]]
        )
        states = [str(state) for of_run in found.values() for state in of_run.values()]
        ended = [state for state in states if state != TaskInstanceState.REMOVED]
        return bool(ended) and all(state == TaskInstanceState.SUCCESS for state in ended)


@contextmanager
def wallet_payment(group_id: str = "payment", **payment: Any) -> Iterator[TaskGroup]:
    """Make a task group `hold >> order >> settle`, with `give_back` if the order did not go through; the block defines the order's tasks.

    A task of the order that fails or is skipped, or one that its upstream keeps from running, gives the hold back.

    `payment` are the parameters of the payment: organization_id, customer_id, wallet_id, amount, order_id, and payment_id, comment, policy.
    """
    with TaskGroup(group_id) as group:
        hold = SyrvePaymentHoldOperator(task_id="hold", pool=settings.POOL, **payment)
        with TaskGroup("order") as order:
            yield group
        settle = SyrvePaymentSettleOperator(task_id="settle", pool=settings.POOL, **payment)
        give_back = SyrvePaymentGiveBackOperator(
            task_id="give_back", pool=settings.POOL, trigger_rule=TriggerRule.ALL_DONE, **payment
        )
        hold >> order >> [settle, give_back]


def as_amount(value: Decimal | str | int | None) -> Decimal | None:
    """Read an amount after templating: digits, and a dot before decimals; a float is refused, since it has lost digits.

    Raises `UnusableOperation`, also for what Python would read but a person might mean otherwise: `1_000`, `1e3`, `1,000`.
    """
    from syrve.wallet.errors import UnusableOperation

    if isinstance(value, float):
        raise UnusableOperation("the amount must be a Decimal, a whole number or text, not a float")
    if value is None or isinstance(value, Decimal):
        return value
    word = str(value).strip()
    if not _AMOUNT.fullmatch(word):
        raise UnusableOperation("the amount is not a number such as 1000 or 9.50")
    return Decimal(word)


def _task_instance(context: Context) -> str:
    """Return the key of a task; raise `UnusableOperation` if it is mapped: a list that changed would move money of one row twice."""
    from syrve.wallet.errors import UnusableOperation

    ti = context["ti"]
    if ti.map_index is not None and ti.map_index >= 0:
        raise UnusableOperation(
            "a mapped task needs a key for each row, such as the order's id: after a clear the same index may be another row"
        )
    return f"{ti.dag_id}.{ti.task_id}[-1]:{context['run_id']}"


def _result(done: OperationState) -> dict[str, Any]:
    from syrve.wallet.errors import PaymentRefused, PaymentUnsettled

    if done.state == "rejected":
        reason = done.evidence.get("code") or done.evidence.get("reason")
        raise PaymentRefused(f"operation {done.operation_id} was refused ({reason}); nothing moved")
    if done.state != "confirmed":
        raise PaymentUnsettled(f"the outcome of operation {done.operation_id} is not known; it is not sent again")
    hold_id = done.operation_id if done.kind == "hold" else done.hold_id
    return {"operation_id": done.operation_id, "state": done.state, "hold_id": hold_id}


def _payment_result(result: PaymentResult) -> dict[str, Any]:
    if result.hold_is_open:
        log.warning("The hold %s is still open; see wallet.open_hold", result.hold_id)
    return {
        "hold_id": result.hold_id,
        "charge_id": result.charge_id,
        "is_paid": result.is_paid,
        "hold_is_open": result.hold_is_open,
        "unsettled": list(result.unsettled),
    }
