"""Payments: correct when killed between any two steps, whatever money there is, by the simulator's own book."""

import os
import signal
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from fixtures.payments import CHARGE, KEPT, POS, Till, TillRefuses, pay, refuse, resume, say
from fixtures.wallets import Purse, in_another_process
from syrve.wallet.errors import (
    LedgerConflict,
    MoneyNotSent,
    MoneyTurnedAway,
    PaymentBusy,
    PaymentRefused,
    PaymentUnsettled,
    UnusableOperation,
)
from syrve.wallet.money_settings import POLICIES, PaymentPolicy
from syrve.wallet.payment import OrderOutcomeUnknown, Payment

"""What is left of 100.00 once 30.00 are paid."""


@pytest.mark.parametrize("policy", POLICIES)
def test_payment_takes_the_money_once_and_leaves_no_hold(purse: Purse, policy: PaymentPolicy) -> None:
    paid = pay(purse, policy)

    assert paid.result is not None
    assert (paid.result.is_paid, paid.result.hold_is_open, paid.result.unsettled) == (True, False, ())
    assert purse.balance == KEPT
    assert purse.holds == ["cancelled" if policy == CHARGE else "consumed"]
    assert purse.open_in_ledger() == 0
    assert purse.rows("select order_id, state, amount from wallet.payment_order") == [
        ("order-1", "completed", Decimal("30.00"))
    ]


@pytest.mark.parametrize("policy", POLICIES)
def test_failed_order_gives_the_money_back_and_says_why_it_failed(purse: Purse, policy: PaymentPolicy) -> None:
    with pytest.raises(TillRefuses):
        pay(purse, policy, refuse)

    assert (purse.balance, purse.holds) == (Decimal("100.00"), ["cancelled"])
    assert purse.value("select state from wallet.payment_order") == "failed"


def test_exact_money_is_charged_by_giving_the_hold_back_first(purse: Purse) -> None:
    purse.set_balance("30.00")

    paid = pay(purse, CHARGE)

    assert paid.result is not None
    assert paid.result.is_paid
    assert (purse.balance, purse.holds) == (Decimal("0.00"), ["cancelled"])
    assert purse.received == Counter({"wallet_hold": 1, "wallet_chargeoff": 2, "wallet_cancel_hold": 1})
    assert purse.value("select count(*) from wallet.operation where kind = 'chargeoff'") == 2, (
        "two operations, each sent once"
    )


def test_money_spent_between_cancellation_and_charge_is_told_loudly(purse: Purse) -> None:
    purse.set_balance("30.00")

    def spend(step: str) -> None:
        if step == "cancel_hold recorded":
            purse.simulator.control.add_transaction(purse.organization_id, purse.customer_id, purse.wallet_id, "-30")

    with pytest.raises(PaymentRefused, match="the order is completed, but Syrve refuses to charge"):
        pay(purse, CHARGE, step=spend)

    assert purse.balance == Decimal("0.00")
    assert purse.open_in_ledger() == 0


@pytest.mark.parametrize("balance", ["30.00", "100.00"])
def test_hold_that_the_till_consumed_is_paid_and_not_charged(purse: Purse, balance: str) -> None:
    purse.set_balance(balance)

    paid = pay(purse, CHARGE, lambda payment: Till(purse, POS).process(payment))

    assert paid.result is not None
    assert paid.result.is_paid
    assert paid.result.charge_id == purse.value("select closing_operation_id::text from wallet.hold")
    assert purse.balance == Decimal(balance) - Decimal("30.00")
    assert purse.received == Counter({"wallet_hold": 1})


def test_hold_consumed_unseen_is_not_charged_by_exact_money(purse: Purse) -> None:
    purse.set_balance("30.00")

    def consume(payment: Payment) -> None:
        with purse.simulator.control.__class__(purse.simulator.url) as control:
            (hold,) = control.holds(customer_id=purse.customer_id)
            control.consume_hold(purse.organization_id, hold["transaction_id"])

    with pytest.raises(PaymentUnsettled, match="it may have been consumed"):
        pay(purse, CHARGE, consume)

    assert purse.balance == Decimal("0.00")
    assert purse.received["wallet_chargeoff"] == 1


def test_too_little_money_refuses_the_payment_before_the_order(purse: Purse) -> None:
    purse.set_balance("29.99")
    ran: list[object] = []

    for _ in range(2):
        with pytest.raises(PaymentRefused):
            pay(purse, CHARGE, ran.append)

    assert (ran, purse.holds) == ([], [])
    assert purse.received == Counter({"wallet_hold": 1}), "the same payment gets the same answer"


def test_refused_connection_is_tried_again_as_a_new_attempt(purse: Purse) -> None:
    purse.simulator.control.set_faults([{"operation": "wallet_hold", "fault": "rate_limit", "count": 1}])
    with pytest.raises(MoneyNotSent):
        pay(purse, CHARGE)

    pay(purse, CHARGE)

    assert (purse.balance, purse.holds) == (KEPT, ["cancelled"])
    assert purse.value("select count(*) from wallet.operation where kind = 'hold'") == 2


def test_lost_charge_that_the_evidence_shows_is_not_charged_again(purse: Purse) -> None:
    purse.simulator.control.set_faults([{"operation": "wallet_chargeoff", "fault": "reset_after", "count": 1}])

    if purse.config.dialect == "reference":
        with pytest.raises(PaymentUnsettled, match="only the balance shows the charge"):
            pay(purse, CHARGE)
        assert (purse.balance, purse.holds) == (KEPT, ["open"])
        say(purse, "chargeoff", "confirmed")

    pay(purse, CHARGE)

    assert (purse.balance, purse.holds) == (KEPT, ["cancelled"])
    assert purse.received["wallet_chargeoff"] == 1


def test_unknown_hold_runs_no_order_and_is_cancelled_where_its_id_is_known(purse: Purse) -> None:
    purse.simulator.control.set_faults([{"operation": "wallet_hold", "fault": "reset_after", "count": 1}])
    switches: dict[str, Any] = {"balance_shows_held_money": True}
    if purse.config.dialect == "cloud":
        switches["hold_transaction_type"] = None
    purse.simulator.control.set_switches(**switches)
    ran: list[object] = []

    with pytest.raises(PaymentUnsettled):
        pay(purse, CHARGE, ran.append)

    assert ran == []
    if purse.config.dialect == "cloud":
        assert (purse.holds, purse.open_in_ledger()) == (["cancelled"], 0)
    else:
        assert (purse.holds, purse.open_in_ledger()) == (["open"], 1)


def test_order_whose_outcome_nobody_knows_leaves_the_hold(purse: Purse) -> None:
    def unsure(payment: Payment) -> None:
        raise OrderOutcomeUnknown

    with pytest.raises(OrderOutcomeUnknown):
        pay(purse, CHARGE, unsure)

    assert purse.holds == ["open"]
    pay(purse, CHARGE)
    assert (purse.balance, purse.holds) == (KEPT, ["cancelled"])


def test_payment_under_way_is_not_begun_twice(purse: Purse) -> None:
    with purse.payment(CHARGE, "order-1"), pytest.raises(PaymentBusy):
        pay(purse, CHARGE)

    assert purse.balance == KEPT


def test_hold_that_a_person_released_does_not_run_the_order(purse: Purse) -> None:
    assert in_another_process(lambda: pay(purse, CHARGE, lambda payment: os.kill(os.getpid(), 9))) == -signal.SIGKILL
    hold = purse.value("select hold_id::text from wallet.open_hold")
    purse.do("cancel_hold", "30.00", hold_id=hold)

    with pytest.raises(PaymentRefused, match="was cancelled before its order was reported"):
        pay(purse, CHARGE)

    assert purse.balance == Decimal("100.00")


def test_payment_of_the_same_id_and_another_amount_is_refused(purse: Purse) -> None:
    pay(purse, CHARGE)

    with pytest.raises(LedgerConflict):
        pay(purse, CHARGE, amount="31.00")

    assert purse.balance == KEPT


def test_till_that_does_not_say_what_it_took_leaves_the_hold_open_in_the_ledger(purse: Purse) -> None:
    paid = pay(purse, POS, lambda payment: None)

    assert paid.result is not None
    assert (paid.result.is_paid, paid.result.hold_is_open) == (False, True)
    assert purse.open_in_ledger() == 1


def test_unknown_policy_is_refused(purse: Purse) -> None:
    with pytest.raises(UnusableOperation):
        purse.payment("hope", "order-1")  # type: ignore[arg-type]  # what an untyped caller may give


TURNED_AWAY: dict[str, dict[str, Any]] = {
    "redirect": {"fault": "status", "status": 302, "body": "moved"},
    "web page": {"fault": "status", "status": 404, "body": "<html>maintenance</html>"},
    "loyalty off": {
        "fault": "status",
        "status": 400,
        "body": {"code": "Transport_WrongCrmId", "errorCode": "Common_OrganizationNotFound"},
    },
    "right missing": {"fault": "status", "status": 401, "body": '"Right x is not allowed for this ApiLogin"'},
}


@pytest.mark.parametrize("name", TURNED_AWAY)
@pytest.mark.parametrize("operation", ["wallet_hold", "wallet_chargeoff", "wallet_cancel_hold"])
def test_payment_goes_on_once_calls_are_not_turned_away(purse: Purse, operation: str, name: str) -> None:
    purse.simulator.control.set_faults([{"operation": operation} | TURNED_AWAY[name]])
    with pytest.raises(MoneyTurnedAway, match=r"run again"):
        pay(purse, CHARGE)
    purse.simulator.control.clear_faults()

    paid = pay(purse, CHARGE)

    assert paid.result is not None
    assert (paid.result.is_paid, purse.balance, purse.holds) == (True, KEPT, ["cancelled"])


FAILURES_INSIDE: dict[str, dict[str, Any]] = {
    "500": {"httpStatusCode": 500, "message": "Internal server error"},
    "504": {"httpStatusCode": 504, "errorCode": "Common_Timeout", "message": "time-out"},
    "timed out": {"errorDescription": "Operation timed out waiting for the back end"},
}


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("name", FAILURES_INSIDE)
def test_charge_that_failed_inside_an_answer_is_not_repeated(purse: Purse, name: str, status: int) -> None:
    fault = {"fault": "status", "status": status, "body": FAILURES_INSIDE[name], "applied": True, "count": 1}
    purse.simulator.control.set_faults([{"operation": "wallet_chargeoff"} | fault])

    with suppress(PaymentUnsettled):
        pay(purse, CHARGE)
    resume(purse, CHARGE)

    assert purse.received["wallet_chargeoff"] == 1
    assert purse.balance == KEPT
