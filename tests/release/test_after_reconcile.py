"""From a dangling hold that reconciliation finds to its release, and what reconciliation says afterwards."""

from datetime import UTC, datetime, timedelta

import pytest

from fixtures.releases import Releasing
from fixtures.wallets import Purse
from syrve.findings.reconcile import Reconciliation, reconcile
from syrve.findings.thresholds import Limits, Thresholds
from syrve.release.question import KEEP_REST
from syrve.wallet.errors import PaymentUnsettled

AT_ONCE = Thresholds(default=Limits(settle_grace_seconds=0, order_grace_seconds=3600))


def reconciled(purse: Purse, minutes: int = 0) -> Reconciliation:
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    return reconcile(
        purse.warehouse, as_of=moment, organization_ids=[purse.organization_id], thresholds=AT_ONCE, run_id="reconcile"
    )


def paid_as_in_the_reference_document(purse: Purse, order_id: str) -> str:
    """Hold, then charge off the same sum, and nothing else: the hold stays."""
    hold = purse.do("hold", "20.00", order_id=order_id)
    purse.do("chargeoff", "20.00", order_id=order_id, hold_id=hold.operation_id)
    return hold.operation_id


def test_hold_of_a_charged_order_is_found_released_and_stays_closed(purse: Purse) -> None:
    releasing = Releasing(purse)
    hold_id = paid_as_in_the_reference_document(purse, "order-1")
    kept = paid_as_in_the_reference_document(purse, "order-2")
    assert reconciled(purse).opened == {"charged_hold_open": 2}

    plan = releasing.plan()
    releasing.answer(plan, hold_id, KEEP_REST)
    releasing.release(str(plan.request_id))
    again = reconciled(purse)
    later = reconciled(purse, minutes=30)

    for each in (again, later):
        assert (each.opened, each.changed, each.closed) == ({}, {}, {})
    assert releasing.finding(hold_id) == ("released", True)
    assert releasing.finding(kept) == ("acknowledged", False)
    assert [status for status, _ in releasing.versions(hold_id)] == ["open", "released"]
    assert [status for status, _ in releasing.versions(kept)] == ["open", "acknowledged"]
    assert sorted(purse.holds) == ["cancelled", "open"]


def test_cancellation_without_an_outcome_becomes_a_finding_of_its_own_and_is_released_once_it_is_known(
    reference_purse: Purse,
) -> None:
    purse = reference_purse
    releasing = Releasing(purse)
    hold_id = paid_as_in_the_reference_document(purse, "order-1")
    reconciled(purse)
    purse.simulator.control.set_switches(balance_shows_held_money=True)
    purse.simulator.control.set_faults([{"operation": "wallet_cancel_hold", "fault": "reset_after", "count": 1}])
    request_id = releasing.approved()
    with pytest.raises(PaymentUnsettled):
        releasing.release(request_id)

    between = reconciled(purse, minutes=20)
    assert (between.opened, between.closed) == ({"cancel_outcome_unknown": 1}, {}), (
        "it stays open until there is evidence"
    )
    operation_id = releasing.outcome(hold_id)[1]["operation_id"]
    purse.ledger.record(purse.ledger.state(operation_id), "confirmed", {"reason": "back_office"})
    releasing.release(request_id)
    after = reconciled(purse, minutes=21)

    assert (after.opened, after.closed) == ({}, {"cancel_outcome_unknown": 1})
    assert [status for status, _ in releasing.versions(hold_id, "charged_hold_open")] == ["open", "open", "released"]
    assert purse.rows("select rule, status from wallet.finding order by rule") == [
        ("cancel_outcome_unknown", "resolved"),
        ("charged_hold_open", "released"),
    ]
    assert releasing.cancels == 1
