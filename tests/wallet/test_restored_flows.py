"""A warehouse that is set back in the middle of a payment, a release or a campaign: no money call is made a second time."""

from contextlib import suppress

import pytest

from fixtures.backups import Backup, Died, back_up, dying_at
from fixtures.campaigns import Campaign
from fixtures.marks import Place
from fixtures.payments import CHARGE, CHARGE_STEPS, pay
from fixtures.releases import STEPS, Releasing
from fixtures.wallets import Purse
from syrve.release.cancelling import HoldRelease
from syrve.release.question import RELEASE_ALL
from syrve.wallet.errors import LedgerFenced, MoneyNotSent
from syrve.wallet.fence import Fence
from syrve.wallet.topup import TopupRun

__all__ = ["back_up"]


@pytest.fixture
def fence(reference_purse: Purse) -> Fence:
    return Fence(reference_purse.warehouse, [Place()], task="test")


@pytest.mark.parametrize("step", CHARGE_STEPS)
def test_restore_amid_a_payment_repeats_no_call(
    reference_purse: Purse, fence: Fence, back_up: Backup, step: str
) -> None:
    purse = reference_purse
    fence.mark()
    restore = back_up()
    with suppress(Died):
        pay(purse, CHARGE, step=dying_at(step), before_call=fence.mark)
    called = sum(purse.received.values())
    restore()

    for _ in range(2):
        with pytest.raises((LedgerFenced, MoneyNotSent)):
            pay(purse, CHARGE, before_call=fence.mark)

    assert sum(purse.received.values()) == called


@pytest.mark.parametrize("step", STEPS)
def test_restore_amid_a_release_cancels_nothing_again(
    reference: Releasing, fence: Fence, back_up: Backup, step: str
) -> None:
    purse = reference.purse
    for amount in ("10.00", "20.00"):
        reference.dangling(amount)
    plan = reference.plan()
    reference.answer(plan, RELEASE_ALL)
    assert plan.request_id is not None
    fence.mark()
    restore = back_up()

    def release(name: str) -> None:
        money = purse.money(step=dying_at(name), before_call=fence.mark)
        HoldRelease(money, key=purse.key("release"), approvals=reference.approvals()).release(str(plan.request_id))

    with suppress(Died):
        release(step)
    called = purse.received["wallet_cancel_hold"]
    restore()

    with pytest.raises((LedgerFenced, MoneyNotSent)):
        release("never")

    assert purse.received["wallet_cancel_hold"] == called


@pytest.mark.parametrize("step", ["topup opened", "topup sent", "topup called", "topup recorded"])
def test_restore_amid_a_campaign_credits_nobody_again(campaign: Campaign, back_up: Backup, step: str) -> None:
    purse = campaign.purse
    fence = Fence(purse.warehouse, [Place()], task="test")
    plan = campaign.plan(campaign.frame())
    campaign.approve(plan)
    fence.mark()
    restore = back_up()

    def send(name: str) -> None:
        money = purse.money(step=dying_at(name, after=0 if name == "topup opened" else 1), before_call=fence.mark)
        TopupRun(money, key=purse.key("send"), campaign="spring", approvals=campaign.approvals()).send(plan.digest)

    with suppress(Died):
        send(step)
    called = purse.received["wallet_topup"]
    restore()

    with pytest.raises(LedgerFenced):
        send("never")

    assert purse.received["wallet_topup"] == called
