"""A ledger that was set back, and whose fence a person lifts at once: what Syrve's report shows as done is not done again."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from fixtures.backups import Backup, Died, back_up, dying_at
from fixtures.campaigns import campaign_of, everybody_got
from fixtures.marks import Place
from fixtures.payments import CHARGE, pay, take, till_row
from fixtures.wallets import Purse
from syrve.wallet.attempts import carry_out
from syrve.wallet.errors import LedgerFenced, MoneyNotSent
from syrve.wallet.fence import Fence
from syrve.wallet.transactions import TransactionsImport
from syrve.warehouse.runs import TaskKey

__all__ = ["back_up"]


@pytest.fixture
def lifted() -> Callable[[Purse, Fence], None]:
    """Finds out that the ledger was set back, and lifts the fence without a look at anything."""

    def lift(purse: Purse, fence: Fence) -> None:
        with pytest.raises(LedgerFenced):
            fence.check()
        purse.execute(
            "insert into wallet.fence_lift (fence_id, reason) select fence_id, 'in a hurry' from wallet.closed_fence"
        )

    return lift


def fence_of(purse: Purse) -> Fence:
    fence = Fence(purse.warehouse, [Place()], task="test")
    fence.mark()
    return fence


@pytest.mark.parametrize("step", ["order opened", "hold recorded", "order completed", "chargeoff planned"])
def test_payment_is_charged_once_where_the_fence_is_lifted(
    cloud_purse: Purse, back_up: Backup, lifted: Callable[[Purse, Fence], None], step: str
) -> None:
    purse, fence = cloud_purse, fence_of(cloud_purse)
    with suppress(Died):
        pay(purse, CHARGE, step=dying_at(step))
    restore = back_up()
    pay(purse, CHARGE, before_call=fence.mark)
    called = purse.received
    restore()
    lifted(purse, fence)

    pay(purse, CHARGE, before_call=fence.mark)

    assert (purse.received, purse.balance, purse.holds) == (called, Decimal(70), ["cancelled"])
    assert purse.rows("select state, hold_closed_by from wallet.payment_state") == [("paid", "cancelled")]


def test_charge_after_a_cancelled_hold_is_found_too(
    cloud_purse: Purse, back_up: Backup, lifted: Callable[[Purse, Fence], None]
) -> None:
    purse, fence = cloud_purse, fence_of(cloud_purse)
    purse.set_balance("40.00")  # the sum is not there twice, so that the hold is cancelled before the charge
    with suppress(Died):
        pay(purse, CHARGE, step=dying_at("order completed"))
    restore = back_up()
    pay(purse, CHARGE, before_call=fence.mark)
    assert purse.balance == 10
    purse.set_balance("100.00")
    called = purse.received
    restore()
    lifted(purse, fence)

    pay(purse, CHARGE, before_call=fence.mark)

    assert (purse.received, purse.balance) == (called, Decimal(100))


def test_second_attempt_that_was_lost_is_found_by_the_first(
    cloud_purse: Purse, back_up: Backup, lifted: Callable[[Purse, Fence], None]
) -> None:
    purse, fence = cloud_purse, fence_of(cloud_purse)
    restore, topup = back_up(), purse.operation("topup", "5.00", key="birthday")
    purse.simulator.control.set_faults([{"operation": "wallet_topup", "fault": "rate_limit", "count": 1}])
    with suppress(MoneyNotSent):
        carry_out(purse.money(before_call=fence.mark), topup)
    carry_out(purse.money(before_call=fence.mark), topup)
    assert purse.balance == 105
    restore()
    lifted(purse, fence)

    assert carry_out(purse.money(before_call=fence.mark), topup).basis == "report"
    assert purse.balance == 105


def test_attempt_that_the_fence_refused_is_found_once_lifted(
    cloud_purse: Purse, back_up: Backup, lifted: Callable[[Purse, Fence], None]
) -> None:
    purse, fence = cloud_purse, fence_of(cloud_purse)
    restore, hold = back_up(), purse.operation("hold", "5.00", key="table")
    made = carry_out(purse.money(before_call=fence.mark), hold)
    restore()
    with pytest.raises(LedgerFenced):
        carry_out(purse.money(before_call=fence.mark), hold)
    lifted(purse, fence)

    again = carry_out(purse.money(before_call=fence.mark), hold)

    assert (again.operation_id, again.state, purse.holds) == (made.operation_id, "confirmed", ["open"])
    assert purse.ledger.transaction_id(again.operation_id) == made.operation_id


def test_campaign_credits_nobody_twice_where_it_is_lifted(
    cloud_purse: Purse, back_up: Backup, lifted: Callable[[Purse, Fence], None]
) -> None:
    purse, fence, campaign = cloud_purse, fence_of(cloud_purse), campaign_of(cloud_purse)
    plan = campaign.plan(campaign.frame(), name=f"summer-{uuid4()}")
    restore = back_up()
    campaign.send(plan, before_call=fence.mark)
    restore()
    lifted(purse, fence)

    campaign.send(plan, before_call=fence.mark)

    assert everybody_got(campaign)


def test_new_money_moves_as_before_once_it_is_lifted(
    cloud_purse: Purse, back_up: Backup, lifted: Callable[[Purse, Fence], None]
) -> None:
    purse, fence = cloud_purse, fence_of(cloud_purse)
    restore = back_up()
    pay(purse, CHARGE, order_id="lost", before_call=fence.mark)
    restore()
    lifted(purse, fence)

    pay(purse, CHARGE, order_id="new", before_call=fence.mark)

    assert purse.balance == 40


def test_suspect_of_a_lost_charge_says_that_it_is_reported(cloud_purse: Purse, back_up: Backup) -> None:
    purse, fence = cloud_purse, fence_of(cloud_purse)
    for step, order in (("order completed", "charged"), ("hold recorded", "still held")):
        with suppress(Died):
            pay(purse, CHARGE, order_id=order, step=dying_at(step))
    restore = back_up()
    pay(purse, CHARGE, order_id="charged", before_call=fence.mark)
    restore()
    with pytest.raises(LedgerFenced):
        fence.check()
    query = (
        "select payment_key, reported_at is not null from wallet.restore_suspect, wallet.payment "
        "where what = 'payment' and payment_id::text = key order by payment_key"
    )
    assert purse.rows(query) == [("charged", False), ("still held", False)]

    job = TransactionsImport(purse.warehouse, purse.money().client, key=TaskKey("run-1", "read"))
    job.run([purse.organization_id], customers=10)

    assert purse.rows(query) == [("charged", True), ("still held", True)], "alike: a person has to look at both"


def test_import_of_a_consumption_settles_what_was_charged(
    reference_purse: Purse, back_up: Backup, lifted: Callable[[Purse, Fence], None]
) -> None:
    purse, fence = reference_purse, fence_of(reference_purse)
    with suppress(Died):
        pay(purse, CHARGE, step=dying_at("order completed"))
    restore = back_up()
    pay(purse, CHARGE, before_call=fence.mark)
    called = purse.received
    restore()
    with pytest.raises(LedgerFenced):
        fence.check()
    hold_id = purse.value("select hold_id::text from wallet.payment_state")

    row = till_row(purse, "chargeoff", datetime.now(UTC), key="order-1", hold_id=hold_id, consumes_hold="true")
    assert take(purse, row) == []

    assert purse.rows("select * from wallet.restore_suspect") == []
    lifted(purse, fence)
    pay(purse, CHARGE, before_call=fence.mark)
    assert (purse.received, purse.balance) == (called, Decimal(70))


def test_suspect_that_a_person_rejects_is_never_sent(reference_purse: Purse) -> None:
    purse, topup = reference_purse, reference_purse.operation("topup", "5.00", key="birthday:1")
    planned = purse.ledger.plan(topup)

    purse.execute(
        "insert into wallet.operation_event (operation_id, sequence, state, basis, evidence) "
        "select operation_id, sequence + 1, 'rejected', 'person', '{\"reason\": \"back_office\"}' from wallet.operation_state"
    )

    assert carry_out(purse.money(), replace(topup, key="birthday")).operation_id == planned.operation_id
    assert (purse.received, purse.rows("select * from wallet.restore_suspect")) == ({}, [])
