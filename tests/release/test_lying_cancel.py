"""A release that Syrve confirms and that gives nothing back is not over."""

from dataclasses import replace
from typing import Any

import pytest

from fixtures.moved_twice import lie
from fixtures.payments import say
from fixtures.releases import Releasing
from fixtures.wallets import AT_ONCE, Purse
from syrve.release.errors import ReleaseIncomplete
from syrve.wallet.errors import PaymentUnsettled

NOT_BACK = "Syrve confirmed the cancellation, but the money that the hold had taken from the balance is not back in it"


def hides(purse: Purse, **switches: Any) -> Releasing:
    """Let balances be without held money, as our own calls have seen."""
    purse.simulator.control.set_switches(balance_shows_held_money=False, **switches)
    return Releasing(purse)


def test_cancellation_that_gave_nothing_back_is_unsettled(purse: Purse) -> None:
    releasing = hides(purse)
    hold = releasing.dangling()
    request = releasing.approved()
    lie(purse, "cancel_hold")

    with pytest.raises(PaymentUnsettled):
        releasing.release(request)

    state, evidence = releasing.outcome(hold)
    assert (state, evidence["missing"], evidence["balance_did_not_rise"]) == ("unsettled", NOT_BACK, "30.00")
    assert (purse.holds, releasing.finding(hold)) == (["open"], ("open", False))
    assert releasing.book().catch_up() == 0, "its own confirmation is no news"
    with pytest.raises(PaymentUnsettled):
        releasing.release(request)
    assert purse.received["wallet_cancel_hold"] == 1


def test_hold_consumed_before_its_confirmed_end_is_unsettled(purse: Purse) -> None:
    releasing = hides(purse, consumed_cancel="ok")
    hold = releasing.dangling()
    releasing.till_consumes(hold)

    with pytest.raises(PaymentUnsettled):
        releasing.release(releasing.approved())

    assert releasing.outcome(hold)[1]["missing"] == NOT_BACK


def test_charge_in_between_does_not_hide_the_lie(purse: Purse) -> None:
    releasing = hides(purse)
    hold = releasing.dangling()
    purse.do("chargeoff", "30.00")
    request = releasing.approved()
    lie(purse, "cancel_hold")

    with pytest.raises(PaymentUnsettled):
        releasing.release(request)

    assert releasing.outcome(hold)[0] == "unsettled"


@pytest.mark.parametrize("charged", [False, True])
def test_balance_with_held_money_in_it_is_no_lie(purse: Purse, charged: bool) -> None:
    purse.simulator.control.set_switches(balance_shows_held_money=True)
    releasing = Releasing(purse)
    hold = releasing.dangling()
    if charged:
        purse.do("chargeoff", "30.00")

    releasing.release(releasing.approved())

    assert (releasing.outcome(hold)[0], purse.holds) == ("released", ["cancelled"])


def test_balance_that_has_not_risen_yet_is_looked_at_again(reference_purse: Purse) -> None:
    purse = reference_purse
    releasing = hides(purse)
    hold = releasing.dangling()
    request = releasing.approved()
    lie(purse, "cancel_hold")
    purse.wallet_settings = replace(AT_ONCE, quiet_seconds=60.0)
    with pytest.raises(ReleaseIncomplete, match="no cancellation of the hold"):
        releasing.release(request)
    assert releasing.outcome(hold)[0] == "approved"
    purse.set_balance("130.00")  # the service was slow

    releasing.release(request)

    assert releasing.outcome(hold)[0] == "released"
    assert purse.received["wallet_cancel_hold"] == 1


def test_person_who_finds_the_hold_open_says_so(cloud_purse: Purse) -> None:
    purse = cloud_purse
    releasing = hides(purse)
    hold = releasing.dangling()
    request = releasing.approved()
    lie(purse, "cancel_hold")
    with pytest.raises(PaymentUnsettled):
        releasing.release(request)

    say(purse, "cancel_hold", "rejected")

    assert purse.open_in_ledger() == 1
    with pytest.raises(PaymentUnsettled):
        releasing.release(request)
    assert "cancel it under a new key" in releasing.outcome(hold)[1]["missing"]
    done = purse.do("cancel_hold", "30.00", hold_id=hold)
    assert (done.state, purse.holds) == ("confirmed", ["cancelled"])
    assert releasing.book().catch_up() == 1
    assert releasing.outcome(hold)[0] == "released"
