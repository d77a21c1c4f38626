"""Approved holds are cancelled once, whatever is killed, repeated or consumed meanwhile; what is not certain is said, not assumed."""

import signal
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from fixtures.releases import STEPS, Releasing
from fixtures.wallets import in_another_process, killed_at, start_process, wait_for
from syrve.release.errors import ReleaseIncomplete
from syrve.release.question import KEEP_REST, RELEASE_ALL, RELEASE_NONE
from syrve.wallet.errors import PaymentUnsettled

FULL, FREED_BEFORE = Decimal("100.00"), Decimal("70.00")


def test_approved_hold_is_cancelled_and_its_finding_closes_with_the_evidence(releasing: Releasing) -> None:
    hold_id = releasing.dangling()
    request_id = releasing.approved()

    counts = releasing.release(request_id)

    assert (counts.requested, counts.changed, counts.rejected, counts.failed) == (1, 1, 0, 0)
    assert (releasing.purse.holds, releasing.purse.balance, releasing.cancels) == (["cancelled"], FULL, 1)
    assert releasing.finding(hold_id) == ("released", True)
    assert releasing.versions(hold_id) == [
        ("open", "opened"),
        ("released", "cancelled; the balance rose by the amount"),
    ]
    state, evidence = releasing.outcome(hold_id)
    assert state == "released"
    assert (evidence["balance_before"], evidence["balance_after"]) == ("70.00", "100.00")
    kept = releasing.purse.value("select evidence from wallet.finding")
    assert kept["rule"] == 1, "what reconciliation found stays"
    assert kept["release"]["operation_id"] == releasing.purse.value(
        "select operation_id::text from wallet.operation where source = 'release'"
    )
    assert releasing.purse.value("select decided_by from wallet.release_state") == "ops"


def test_balance_that_shows_held_money_does_not_rise(releasing: Releasing) -> None:
    releasing.purse.simulator.control.set_switches(balance_shows_held_money=True)
    hold_id = releasing.dangling()

    releasing.release(releasing.approved())

    state, evidence = releasing.outcome(hold_id)
    assert (state, releasing.finding(hold_id)) == ("released", ("released", True))
    assert evidence["reason"] == "cancelled, as Syrve confirmed"
    assert evidence["balance_before"] == evidence["balance_after"] == "100.00"


def test_only_what_was_chosen_is_cancelled_and_the_rest_is_asked_about_again(reference: Releasing) -> None:
    chosen, left = reference.dangling("10.00"), reference.dangling("20.00")
    plan = reference.plan()
    reference.answer(plan, chosen)

    reference.release(str(plan.request_id))

    assert reference.states(chosen) == ["asked", "approved", "released"]
    assert reference.states(left) == ["asked", "left"]
    assert reference.finding(left) == ("open", False)
    assert sorted(reference.purse.holds) == ["cancelled", "open"]
    assert reference.plan("run-b").hold_ids == [left]


def test_rest_that_is_kept_is_acknowledged_and_not_asked_about_again(reference: Releasing) -> None:
    chosen, kept = reference.dangling("10.00"), reference.dangling("20.00")
    plan = reference.plan()
    reference.answer(plan, chosen, KEEP_REST)

    reference.release(str(plan.request_id))

    assert reference.states(kept) == ["asked", "kept"]
    assert reference.finding(kept) == ("acknowledged", False)
    assert reference.versions(kept)[-1] == ("acknowledged", "a person keeps the hold")
    assert reference.plan("run-b").holds == 0
    assert reference.plan("run-c", finding_ids=reference.findings).hold_ids == [kept], "by hand it can be chosen still"


def test_rejection_cancels_nothing(reference: Releasing) -> None:
    hold_id = reference.dangling()
    plan = reference.plan()
    reference.answer(plan, RELEASE_NONE)

    assert reference.release(str(plan.request_id)).requested == 0
    assert (reference.purse.holds, reference.cancels, reference.finding(hold_id)) == (["open"], 0, ("open", False))


def test_no_answer_in_time_cancels_nothing_and_a_late_one_does_not_count(reference: Releasing) -> None:
    hold_id = reference.dangling()
    plan = reference.plan()
    reference.expire(plan)
    reference.answer(plan, RELEASE_ALL)

    assert reference.release(str(plan.request_id)).requested == 0
    assert (reference.states(hold_id), reference.cancels) == (["asked", "expired"], 0)


def test_hold_approved_twice_is_one_cancellation(cloud: Releasing) -> None:
    hold_id = cloud.dangling()
    first = cloud.approved()
    cloud.purse.execute("update wallet.release set answer_until = now() - interval '1 second'")
    second = cloud.approved("run-b")

    for request_id in (first, second, first):
        cloud.release(request_id)

    assert (cloud.purse.holds, cloud.cancels) == (["cancelled"], 1)
    assert cloud.states(hold_id) == ["asked", "approved", "released"] * 2
    assert cloud.finding(hold_id) == ("released", True)
    assert cloud.purse.value("select count(*) from wallet.operation where source = 'release'") == 1


def test_two_runs_at_once_cancel_once(cloud: Releasing) -> None:
    for amount in ("10.00", "11.00", "12.00"):
        cloud.dangling(amount)
    first = cloud.approved()
    cloud.purse.execute("update wallet.release set answer_until = now() - interval '1 second'")
    second = cloud.approved("run-b")

    processes = [start_process(partial(cloud.release, each)) for each in (first, second, first)]

    assert [wait_for(each) for each in processes] == [0, 0, 0]
    assert (set(cloud.purse.holds), cloud.cancels) == ({"cancelled"}, 3)
    assert cloud.purse.value("select sum(changed) from sync.run where task = 'dag.release'") == 6, "once per question"
    assert cloud.purse.balance == FULL


@pytest.mark.parametrize("step", STEPS)
def test_run_killed_after_any_step_goes_on_and_cancels_once(releasing: Releasing, step: str) -> None:
    hold_id = releasing.dangling()
    request_id = releasing.approved()
    assert in_another_process(lambda: releasing.release(request_id, step=killed_at(step))) == -signal.SIGKILL

    if step == "cancel_hold sent":  # never left this machine, which nobody can know
        with pytest.raises(PaymentUnsettled):
            releasing.release(request_id)
        assert (releasing.cancels, releasing.purse.holds, releasing.finding(hold_id)) == (0, ["open"], ("open", False))
        assert (
            releasing.outcome(hold_id)[1]["missing"] == "the balance is the same, which it may be with held money in it"
        )
        return
    counts = releasing.release(request_id)

    assert counts.changed == (step != "release recorded")
    assert (releasing.cancels, releasing.purse.holds, releasing.purse.balance) == (1, ["cancelled"], FULL)
    assert releasing.finding(hold_id) == ("released", True)
    assert len(releasing.versions(hold_id)) == 2


def test_finding_that_reconciliation_closed_first_is_released_all_the_same(reference: Releasing) -> None:
    hold_id = reference.dangling()
    request_id = reference.approved()
    killed = in_another_process(lambda: reference.release(request_id, step=killed_at("cancel_hold recorded")))
    assert killed == -signal.SIGKILL
    reference.purse.execute("update wallet.finding set status = 'resolved', resolved_at = now()")

    reference.release(request_id)

    assert reference.finding(hold_id) == ("released", True)


def test_lost_answer_is_settled_by_evidence(releasing: Releasing) -> None:
    hold_id = releasing.dangling()
    lost = {"operation": "wallet_cancel_hold", "fault": "reset_after", "count": 1}
    releasing.purse.simulator.control.set_faults([lost])

    releasing.release(releasing.approved())

    assert (releasing.cancels, releasing.purse.holds, releasing.finding(hold_id)) == (
        1,
        ["cancelled"],
        ("released", True),
    )


def test_call_that_was_not_carried_out_is_tried_again(cloud: Releasing) -> None:
    hold_id = cloud.dangling()
    cloud.purse.simulator.control.set_faults([{"operation": "wallet_cancel_hold", "fault": "rate_limit", "count": 1}])
    request_id = cloud.approved()
    with pytest.raises(ReleaseIncomplete):
        cloud.release(request_id)
    assert cloud.states(hold_id) == ["asked", "approved"]

    cloud.release(request_id)

    assert (cloud.purse.holds, cloud.finding(hold_id)) == (["cancelled"], ("released", True))


@pytest.mark.parametrize("step", ["before", "cancel_hold recorded"])
def test_balance_that_can_not_be_read_is_waited_for(reference: Releasing, step: str) -> None:
    hold_id = reference.dangling()
    request_id = reference.approved()
    outage: list[dict[str, Any]] = [{"operation": "customer_info", "fault": "status", "status": 500}]
    control = reference.purse.simulator.control

    def fail(name: str) -> None:
        if name == step:
            control.set_faults(outage)

    fail("before")
    with pytest.raises(ReleaseIncomplete):
        reference.release(request_id, step=fail, config={"call_deadline_seconds": 0.05})
    assert (reference.cancels, reference.finding(hold_id)) == (int(step != "before"), ("open", False))
    control.clear_faults()

    reference.release(request_id)

    assert (reference.cancels, reference.finding(hold_id)) == (1, ("released", True))


def test_missing_right_stops_a_release_and_leaves_the_rest(reference: Releasing) -> None:
    holds = [reference.dangling("10.00") for _ in range(5)]
    reference.purse.simulator.control.set_switches(removed_rights=["wallet_cancel_hold"])
    request_id = reference.approved()

    with pytest.raises(ReleaseIncomplete, match="no_access"):
        reference.release(request_id)

    assert reference.cancels == 1
    reference.purse.simulator.control.set_switches(removed_rights=[])
    assert reference.release(request_id).changed == 5
    assert {reference.finding(each) for each in holds} == {("released", True)}


def test_cancellation_that_a_person_found_not_carried_out_says_how_to_go_on(reference: Releasing) -> None:
    hold_id = reference.dangling()
    request_id = reference.approved()
    reference.purse.simulator.control.set_faults(
        [{"operation": "wallet_cancel_hold", "fault": "reset_before", "count": 1}]
    )
    with pytest.raises(PaymentUnsettled):
        reference.release(request_id)
    operation_id = reference.outcome(hold_id)[1]["operation_id"]
    unknown = reference.purse.ledger.state(operation_id)
    reference.purse.ledger.record(unknown, "rejected", {"reason": "back_office"})

    with pytest.raises(PaymentUnsettled):
        reference.release(request_id)
    assert reference.outcome(hold_id)[1]["missing"].endswith("the hold is open; cancel it under a new key")
    reference.purse.do("cancel_hold", "30.00", hold_id=hold_id, source="ops", key="again")

    assert reference.release(request_id).changed == 1
    assert reference.finding(hold_id) == ("released", True)


def test_release_stops_at_a_redirect_and_goes_on_after_it(releasing: Releasing) -> None:
    holds = [releasing.dangling("10.00"), releasing.dangling("20.00")]
    request_id = releasing.approved()
    redirect = {"operation": "wallet_cancel_hold", "fault": "status", "status": 302, "body": "maintenance"}
    releasing.purse.simulator.control.set_faults([redirect])

    with pytest.raises(ReleaseIncomplete, match="wait for the end of a maintenance"):
        releasing.release(request_id)

    assert releasing.cancels == 1
    releasing.purse.simulator.control.clear_faults()
    releasing.release(request_id)
    assert [releasing.states(hold)[-1] for hold in holds] == ["released", "released"]
    assert releasing.purse.balance == FULL
