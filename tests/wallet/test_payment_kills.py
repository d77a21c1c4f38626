"""A payment killed after any step goes on where it stopped: the money is taken once or given back."""

import signal
from decimal import Decimal

import pytest

from fixtures.payments import CHARGE, CHARGE_STEPS, KEPT, POS, pay, refuse, resume, say
from fixtures.wallets import Purse, in_another_process, killed_at
from syrve.wallet.errors import OrderFailed
from syrve.wallet.money_settings import PaymentPolicy

POS_STEPS = [*CHARGE_STEPS[:5], "consumption recorded", *CHARGE_STEPS[5:7]]
FAIL_STEPS = ["order failed", *CHARGE_STEPS[-4:]]


@pytest.mark.parametrize(
    ("policy", "step"), [*((CHARGE, step) for step in CHARGE_STEPS), *((POS, step) for step in POS_STEPS)]
)
def test_payment_killed_after_any_step_goes_on_where_it_stopped(purse: Purse, policy: PaymentPolicy, step: str) -> None:
    killed = in_another_process(lambda: pay(purse, policy, step=killed_at(step)))
    assert killed == -signal.SIGKILL

    resume(purse, policy)

    received = purse.received
    assert max(received.values(), default=0) <= 1, "no money call is ever sent twice"
    doubtful = purse.value(
        "select count(*) from wallet.unsettled_operation where settled_at is null or basis = 'balance'"
    )
    if doubtful == 0 and purse.value("select state from wallet.payment_order") == "completed":
        assert purse.balance == KEPT
        assert "open" not in purse.holds
        assert purse.open_in_ledger() == 0
    else:
        # Nobody knows whether the call that the process died in went out, or only the balance shows it: no further call rests on that.
        # Nothing is taken twice, and what is open is in the ledger.
        assert step.endswith((" sent", " called"))
        assert purse.balance in (KEPT, Decimal("100.00"))
        assert purse.open_in_ledger() >= purse.holds.count("open")


@pytest.mark.parametrize("step", FAIL_STEPS)
def test_failed_order_killed_after_any_step_gives_the_money_back(purse: Purse, step: str) -> None:
    killed = in_another_process(lambda: pay(purse, CHARGE, refuse, step=killed_at(step)))
    assert killed == -signal.SIGKILL

    with pytest.raises(OrderFailed):
        pay(purse, CHARGE)

    assert purse.balance == Decimal("100.00")
    assert max(purse.received.values()) == 1
    if step != "cancel_hold sent":
        assert purse.holds == ["cancelled"]
        assert purse.open_in_ledger() == 0
    else:
        assert (purse.holds, purse.open_in_ledger()) == (["open"], 1), "sent, or not: a person has to look"


@pytest.mark.parametrize("step", [f"cancel_hold {each}" for each in ("planned", "called", "recorded")])
def test_exact_money_is_charged_once_when_killed_on_the_way(purse: Purse, step: str) -> None:
    purse.set_balance("30.00")
    assert in_another_process(lambda: pay(purse, CHARGE, step=killed_at(step))) == -signal.SIGKILL

    resume(purse, CHARGE)

    if step.endswith("called") and purse.config.dialect == "reference":
        assert purse.value("select closed_basis from wallet.hold") == "balance"
        assert purse.balance == Decimal("30.00"), "nothing is charged on the strength of a balance"
        say(purse, "cancel_hold", "confirmed")
        resume(purse, CHARGE)
    assert (purse.balance, purse.holds, purse.open_in_ledger()) == (Decimal("0.00"), ["cancelled"], 0)
