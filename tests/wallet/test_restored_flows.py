"""A warehouse that is set back in the middle of a payment, a release or a campaign: no money call is made a second time."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from devstack.postgres import PostgresServer
from fixtures.campaigns import Campaign
from fixtures.kept_sessions import Kept
from fixtures.marks import Place
from fixtures.payments import CHARGE, CHARGE_STEPS, pay
from fixtures.releases import STEPS, Releasing
from fixtures.wallets import Purse
from syrve.release.cancelling import HoldRelease
from syrve.release.question import RELEASE_ALL
from syrve.wallet.errors import LedgerFenced, MoneyNotSent
from syrve.wallet.fence import Fence
from syrve.wallet.topup import TopupRun
from syrve.warehouse.dsn import url_from_text

Backup = Callable[[], Callable[[], None]]


class Died(BaseException):
    """The process is gone."""


def dying_at(name: str, *, after: int = 0) -> Callable[[str], None]:
    """Make a step function at which the process dies, at the step of that name which comes after so many of it."""
    left = [after]

    def step(done: str) -> None:
        if done == name:
            if not left[0]:
                raise Died
            left[0] -= 1

    return step


@pytest.fixture
def back_up(
    postgres_server: PostgresServer, warehouse_template: str, warehouse_dsn: str, kept_sessions: Kept
) -> Iterator[Backup]:
    """Takes a copy of the test's database, and returns what sets the database back to it."""
    name = str(url_from_text(warehouse_dsn).database)
    copy = f"{name}_copy"

    def restore() -> None:
        postgres_server.drop_database(name)
        postgres_server.create_database(name, copy)

    def take() -> Callable[[], None]:
        kept_sessions(warehouse_dsn).close()  # a database that has sessions can't be copied
        postgres_server.create_database(copy, name)
        return restore

    yield take
    postgres_server.drop_database(copy)
    postgres_server.drop_database(name)
    postgres_server.create_database(name, warehouse_template)


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
