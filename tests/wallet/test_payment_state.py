"""A payment's state is its own; a balance authorizes nothing; an end of a hold that does not agree with it is not believed."""

import signal
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from fixtures.releases import Releasing
from fixtures.wallets import Purse, in_another_process, killed_at
from syrve.api.errors import SyrveError
from syrve.wallet.errors import OrderFailed, PaymentRefused, PaymentUnsettled, UnusableOperation, WalletError
from syrve.wallet.money_settings import POLICIES, PaymentPolicy, WalletSettings
from syrve.wallet.payment import Payment, PaymentRequest
from syrve.warehouse.errors import WarehouseError, WarehouseUnavailable

CHARGE, POS = POLICIES
STEPS = [
    "payment begun",
    "order opened",
    "order completed",
    "order failed",
    *(
        f"{kind} {each}"
        for kind in ("hold", "chargeoff", "cancel_hold")
        for each in ("planned", "sent", "called", "recorded")
    ),
]


class Refused(Exception):
    pass


def payment(
    purse: Purse, key: str = "p1", *, amount: str = "30.00", policy: PaymentPolicy = CHARGE, **options: Any
) -> Payment:
    whose = (purse.organization_id, purse.customer_id, purse.wallet_id)
    return Payment(
        purse.money(**options), PaymentRequest(*whose, Decimal(amount), "order-1", payment_id=key), policy=policy
    )


def states(purse: Purse) -> dict[str, str]:
    return dict(purse.rows("select payment_key, state from wallet.payment_state where order_id = 'order-1'"))


def test_failed_payment_is_never_charged_after_another_paid(purse: Purse) -> None:
    with pytest.raises(Refused), payment(purse, "p1"):
        raise Refused
    with payment(purse, "p2"):
        pass

    with pytest.raises(OrderFailed):
        payment(purse, "p1").complete()
    with pytest.raises(OrderFailed), payment(purse, "p1"):
        pass

    assert purse.balance == Decimal("70.00")
    assert states(purse) == {"p1": "given_back", "p2": "paid"}
    assert purse.value("select state from wallet.payment_order") == "completed"


def test_refused_payment_fails_no_other_of_its_order(purse: Purse) -> None:
    with payment(purse, "a") as half:
        with pytest.raises(PaymentRefused), payment(purse, "b", amount="500.00"):
            pass
        assert states(purse) == {"a": "held", "b": "refused"}
        assert purse.value("select state from wallet.payment_order") == "open"

    assert half.result is not None
    assert half.result.is_paid
    assert (purse.balance, states(purse)) == (Decimal("70.00"), {"a": "paid", "b": "refused"})


def test_order_that_ran_is_charged_after_its_hold_was_released(purse: Purse) -> None:
    begun = payment(purse)
    with begun.locked():
        begun.begin()
    releasing = Releasing(purse)
    hold_id = purse.value("select hold_id::text from wallet.hold")
    releasing.find(hold_id, rule="stale_hold", severity="medium")
    releasing.release(releasing.approved(rules=("stale_hold",)))
    assert (purse.holds, states(purse)) == (["cancelled"], {"p1": "released"})
    assert purse.value("select count(distinct payment_id) from wallet.operation where payment_id is not null") == 1
    assert purse.value("select count(*) from wallet.operation where payment_id is null") == 0

    result = payment(purse).complete()

    assert (result.is_paid, purse.balance, states(purse)) == (True, Decimal("70.00"), {"p1": "paid"})


def test_order_that_ran_is_unpaid_if_the_freed_money_is_gone(purse: Purse) -> None:
    begun = payment(purse)
    with begun.locked():
        begun.begin()
    purse.do("cancel_hold", "30.00", hold_id=purse.value("select hold_id::text from wallet.hold"))
    purse.set_balance("0.00")

    with pytest.raises(PaymentRefused, match="refuses to charge"):
        payment(purse).complete()

    assert states(purse) == {"p1": "unpaid"}


def test_release_waits_for_a_payment_whose_order_runs(purse: Purse) -> None:
    releasing = Releasing(purse)
    with payment(purse):
        hold_id = purse.value("select hold_id::text from wallet.hold")
        releasing.find(hold_id, rule="stale_hold", severity="medium")
        request = releasing.approved(rules=("stale_hold",))
        released = in_another_process(lambda: releasing.release(request))
        assert (released, purse.holds) == (1, ["open"])

    assert (purse.balance, purse.received["wallet_cancel_hold"]) == (Decimal("70.00"), 1)


def test_charge_rejected_by_balance_is_not_charged_again(purse: Purse) -> None:
    purse.simulator.control.set_switches(transaction_delay_seconds=3600)
    purse.simulator.control.set_faults([{"operation": "wallet_chargeoff", "fault": "reset_after", "count": 1}])
    with pytest.raises(PaymentUnsettled), payment(purse, settings=WalletSettings(lock_wait_seconds=30)):
        pass
    purse.simulator.control.add_transaction(purse.organization_id, purse.customer_id, purse.wallet_id, "30", type=10)
    charge_id = purse.value("select operation_id::text from wallet.operation where kind = 'chargeoff'")
    purse.settler().settle(charge_id)
    assert purse.value("select basis from wallet.operation_state where operation_id = %s", charge_id) == "balance"

    with pytest.raises(PaymentUnsettled, match="only the balance"), payment(purse):
        pass

    assert (purse.received["wallet_chargeoff"], purse.balance) == (1, Decimal("100.00"))


def test_second_charge_of_a_payment_is_refused_by_the_ledger(purse: Purse) -> None:
    with payment(purse):
        pass
    payment_id = purse.value("select payment_id::text from wallet.payment")

    again = purse.do("chargeoff", "30.00", payment_id=payment_id)

    assert (again.state, again.evidence) == ("rejected", {"reason": "payment_may_be_charged"})
    assert purse.balance == Decimal("70.00")


def test_event_sent_of_a_refused_operation_can_not_be_written(purse: Purse) -> None:
    hold = purse.do("hold", "30.00")
    purse.do("cancel_hold", "30.00", hold_id=hold.operation_id, key="a")
    planned = purse.plan("cancel_hold", "30.00", hold_id=hold.operation_id, key="b")

    with pytest.raises(WarehouseError, match="operation_event_may_be_sent"):
        purse.ledger.record(planned, "sent", {})


def test_closed_hold_is_neither_cancelled_nor_charged(purse: Purse) -> None:
    hold = purse.do("hold", "30.00")
    assert purse.do("cancel_hold", "30.00", hold_id=hold.operation_id, key="a").state == "confirmed"

    again = purse.do("cancel_hold", "30.00", hold_id=hold.operation_id, key="b")
    charge = purse.do("chargeoff", "30.00", hold_id=hold.operation_id)

    assert again.evidence == charge.evidence == {"reason": "hold_is_cancelled"}
    assert (purse.received["wallet_cancel_hold"], purse.balance) == (1, Decimal("100.00"))


def test_second_cancel_waits_until_the_first_is_known(purse: Purse) -> None:
    hold = purse.do("hold", "30.00")
    purse.simulator.control.set_faults([{"operation": "wallet_cancel_hold", "fault": "reset_before", "count": 1}])
    assert purse.do("cancel_hold", "30.00", hold_id=hold.operation_id, key="a").state == "unknown"

    again = purse.do("cancel_hold", "30.00", hold_id=hold.operation_id, key="b")

    assert (again.evidence, again.may_be_tried_again) == ({"reason": "cancel_is_unknown"}, True)
    assert purse.received["wallet_cancel_hold"] == 1


def test_payment_that_was_not_begun_is_not_completed(purse: Purse) -> None:
    with pytest.raises(UnusableOperation, match="begin it first"):
        payment(purse).complete()


def test_id_of_a_hold_survives_while_the_warehouse_is_away(
    reference_purse: Purse, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    purse = reference_purse
    settings = WalletSettings(spool_path=str(tmp_path / "spool"))
    money = purse.money(sleep=lambda seconds: None, settings=settings)
    planned = purse.plan("hold", "30.00")
    record = money.ledger.record

    def away(operation: Any, state: Any, *given: Any, **options: Any) -> Any:
        if state == "confirmed":
            raise WarehouseUnavailable("away")
        return record(operation, state, *given, **options)

    monkeypatch.setattr(money.ledger, "record", away)
    with pytest.raises(WarehouseUnavailable, match="Syrve's id of the hold is"):
        money.execute(planned.operation_id)
    monkeypatch.undo()
    assert len(list((tmp_path / "spool").iterdir())) == 1

    settled = purse.settler(settings=settings).settle(planned.operation_id).operation

    (hold,) = purse.simulator.control.holds(customer_id=purse.customer_id)
    assert (settled.state, settled.evidence["transaction_id"]) == ("confirmed", hold["transaction_id"])
    assert list((tmp_path / "spool").iterdir()) == []


def deaths(rng: Random) -> Iterator[str]:
    while True:
        yield rng.choice(STEPS)


@pytest.mark.parametrize("seed", range(12))
def test_guest_is_charged_once_or_not_at_all_whoever_dies(purse: Purse, seed: int) -> None:
    """Processes of one payment die at any steps; the order runs or not, the money is exact or ample, a release comes between."""
    rng = Random(seed)
    start = Decimal(rng.choice(["30.00", "59.99", "100.00"]))
    purse.set_balance(str(start))
    policy, fails = rng.choice(POLICIES), rng.random() < 0.25

    def run(step: str | None) -> None:
        options: dict[str, Any] = {} if step is None else {"step": killed_at(step)}
        with payment(purse, policy=policy, **options) as paying:
            if fails:
                raise Refused
            if policy == POS and not paying.order_is_completed:
                with purse.simulator.control.__class__(purse.simulator.url) as control:
                    for hold in control.holds(customer_id=purse.customer_id, state="open"):
                        control.consume_hold(purse.organization_id, hold["transaction_id"])
                paying.note_consumed(receipt="7")

    for step in [*(next(deaths(rng)) for _ in range(rng.randint(1, 3))), None, None]:
        died = in_another_process(lambda step=step: run(step))  # type: ignore[misc]
        assert died in (0, 1, -signal.SIGKILL)
        if rng.random() < 0.3:
            for (hold_id,) in purse.rows("select hold_id::text from wallet.open_hold where confirmed_at is not null"):
                try:
                    purse.do("cancel_hold", "30.00", hold_id=hold_id)
                except (WalletError, SyrveError):
                    continue

    taken = start - purse.balance
    (state,) = states(purse).values()
    assert taken in (Decimal(0), Decimal("30.00")), state
    assert max(purse.received.values(), default=0) <= 1 + purse.received["wallet_cancel_hold"]
    sent = purse.rows("select operation_id from wallet.operation_event where state = 'sent'")
    assert len(sent) == len(set(sent))
    if fails and policy == CHARGE:
        assert taken == 0
    if state == "paid":
        assert taken == Decimal("30.00")
    if purse.value("select order_reported from wallet.payment_state") == "order_completed" and taken == 0:
        assert state in ("unsettled", "unpaid", "due"), "an order that ran and is not paid says so"
