"""What a release left unsettled: its finding waits for evidence, and nobody is asked about it again for nothing."""

from datetime import UTC, datetime

import pytest

from fixtures.releases import Releasing
from fixtures.wallets import Purse
from release.test_after_reconcile import paid_as_in_the_reference_document, reconciled
from syrve.release.question import RELEASE_ALL
from syrve.wallet.errors import PaymentUnsettled

NO_NEWS = "a release of the hold is not settled, and nothing has become known since"


def left_unsettled(purse: Purse) -> tuple[Releasing, str]:
    """Release a hold that a till consumes just then, while Syrve confirms the cancellation all the same."""
    purse.simulator.control.set_switches(balance_shows_held_money=True, consumed_cancel="ok")
    releasing, hold = Releasing(purse), paid_as_in_the_reference_document(purse, "order-1")
    reconciled(purse)

    def consume(step: str) -> None:
        if step == "cancel_hold sent":
            releasing.till_consumes(hold)

    request = releasing.approved()
    with pytest.raises(PaymentUnsettled):
        releasing.release(request, step=consume)
    return releasing, hold


def consumption(purse: Purse, hold: str) -> None:
    purse.execute(
        "insert into wallet.operation (operation_id, kind, organization_id, customer_id, wallet_id, amount, order_id, hold_id, source, "
        "requested_at, consumes_hold, idempotency_key, fingerprint) select gen_random_uuid(), 'chargeoff', organization_id, customer_id, "
        "wallet_id, amount, order_id, hold_id, 'import:till', now(), true, 'till-1', '' from wallet.hold where hold_id = %s",
        hold,
    )
    purse.execute(
        "insert into wallet.operation_event (operation_id, sequence, state, basis, occurred_at) "
        "select operation_id, 1, 'confirmed', 'report', now() from wallet.operation where idempotency_key = 'till-1'"
    )


def test_unsettled_finding_stays_open_at_reconciliation(reference_purse: Purse) -> None:
    releasing, hold = left_unsettled(reference_purse)
    assert reference_purse.value("select closed_by from wallet.hold") == "cancelled"

    for minutes in (0, 30, 60 * 24 * 30):
        assert reconciled(reference_purse, minutes=minutes).closed == {}

    assert releasing.finding(hold) == ("open", False)
    assert releasing.outcome(hold)[0] == "unsettled"
    assert releasing.book().catch_up() == 0


def test_unsettled_finding_closes_by_evidence(reference_purse: Purse) -> None:
    releasing, hold = left_unsettled(reference_purse)

    consumption(reference_purse, hold)

    assert releasing.book().catch_up() == 1
    assert releasing.outcome(hold)[0] in ("released", "refused")
    result = reconciled(reference_purse, minutes=30)
    assert releasing.finding(hold)[1], "it is closed"
    assert result.open == {"charge_amount_mismatch": 1, "hold_ended_twice": 1}


def test_unsettled_release_is_not_asked_again(reference_purse: Purse) -> None:
    releasing = Releasing(reference_purse)
    hold = releasing.dangling()
    releasing.till_consumes(hold)
    with pytest.raises(PaymentUnsettled):
        releasing.release(releasing.approved())

    plans = [releasing.plan(run=f"run-{number}") for number in range(3)]

    assert [(each.holds, each.not_offered) for each in plans] == [(0, {NO_NEWS: 1})] * 3
    assert releasing.states(hold) == ["asked", "approved", "unsettled"]
    assert releasing.plan(run="by-hand", finding_ids=releasing.findings).holds == 1, "a person may insist"


def test_unsettled_release_is_asked_again_on_news(reference_purse: Purse) -> None:
    releasing = Releasing(reference_purse)
    hold = releasing.dangling()
    releasing.till_consumes(hold)
    with pytest.raises(PaymentUnsettled):
        releasing.release(releasing.approved())
    order = reference_purse.value("select order_id from wallet.hold where hold_id = %s", hold)

    reference_purse.execute(
        "insert into wallet.payment_order (organization_id, order_id, state, state_at) values (%s, %s, 'failed', %s)",
        reference_purse.organization_id,
        order,
        datetime.now(UTC),
    )

    plan = releasing.plan(run="run-b")
    assert plan.holds == 1
    releasing.answer(plan, RELEASE_ALL, run="run-b")
