"""A release is of the holds that were shown: whatever is cleared, marked or answered in a hurry, no other hold is cancelled."""

from typing import Any

from devstack import names
from devstack.dag_runs import start_run
from e2e_support import (
    answer_in_two_browsers,
    answer_until_taken,
    end_with_any_answer,
    run_with_plan_of_another,
    states,
    wait_until,
)
from fixtures.live_questions import Asking, asking

__all__ = ["asking"]


def test_hold_that_changes_while_it_is_asked_about_stays(airflow: Any, asking: Asking) -> None:
    shown = asking.releasing.dangling("10.00")
    run = asking.ask()
    purse = asking.releasing.purse
    order_id = purse.value("select order_id from wallet.hold where hold_id = %s", shown)
    purse.execute(
        "insert into wallet.payment_order (organization_id, order_id, state, state_at) values (%s, %s, 'open', now())",
        *(purse.organization_id, order_id),
    )

    airflow.clear(run, "plan")

    assert airflow.finish(run) == "failed"
    assert "it was cleared" in airflow.task_log(run, "plan")
    assert (asking.releasing.purse.holds, asking.releasing.cancels) == (["open"], 0)


def test_holds_that_come_later_are_not_in_an_old_answer(airflow: Any, asking: Asking) -> None:
    chosen = asking.releasing.dangling("10.00")
    run = airflow.start(names.RELEASE_HOLDS_DAG, dry_run=False, min_age_minutes=0)
    airflow.wait_for_question(run, "approve")
    airflow.answer(run, chosen)
    assert airflow.finish(run) == "success"
    assert ("released", chosen, "approver") in asking.decided(run)
    later = asking.releasing.dangling("20.00")

    airflow.clear(run, "approve")
    assert airflow.finish(run) == "success"
    airflow.clear(run, "plan")
    assert airflow.finish(run) == "failed"

    assert "it was cleared" in airflow.task_log(run, "plan")
    assert (asking.releasing.finding(later), asking.releasing.cancels) == (("open", False), 1)


def test_same_holds_that_are_planned_again_keep_their_question(airflow: Any, asking: Asking) -> None:
    hold_id = asking.releasing.dangling("10.00")
    run = asking.ask()
    airflow.clear(run, "plan")
    wait_until(lambda: "awaiting_input" not in states(airflow, run), "the task is cleared")
    wait_until(lambda: "awaiting_input" in states(airflow, run), "it asks again")

    answer_until_taken(airflow, run, lambda: bool(asking.decided(run)), "Release all")

    assert airflow.finish(run) == "success"
    assert (asking.decided(run), asking.releasing.cancels) == ([("released", hold_id, "approver")], 1)


def test_release_marked_as_approved_by_hand_cancels_nothing(airflow: Any, asking: Asking) -> None:
    asking.releasing.dangling("10.00")
    run = asking.ask()

    airflow.mark_success(run, "approve")

    assert airflow.finish(run) == "failed"
    assert "NotApproved" in airflow.task_log(run, "release")
    assert (asking.decided(run), asking.releasing.cancels) == ([], 0)


def test_release_answered_within_a_second_is_one_cancellation(airflow: Any, asking: Asking) -> None:
    hold_id = asking.releasing.dangling("10.00")
    run = asking.start()
    wait_until(lambda: "awaiting_input" in states(airflow, run), "approve asks a person")

    answer_until_taken(airflow, run, lambda: bool(asking.decided(run)), "Release all")

    assert airflow.finish(run) == "success"
    assert (asking.decided(run), asking.releasing.cancels) == ([("released", hold_id, "approver")], 1)


def test_two_browsers_choose_different_holds(airflow: Any, asking: Asking) -> None:
    one, other = asking.releasing.dangling("10.00"), asking.releasing.dangling("20.00")
    run = asking.ask()

    answer_in_two_browsers(airflow, run, one, other)

    assert airflow.finish(run) == "success"
    decided = {hold_id: state for state, hold_id, _ in asking.decided(run)}
    assert sorted(decided.values()) == ["left", "released"]
    assert (set(decided), asking.releasing.cancels) == ({one, other}, 1)


def test_holds_of_another_run_are_not_asked_about(airflow: Any, asking: Asking) -> None:
    asking.releasing.dangling("10.00", rule="stale_hold")
    approver = airflow.stack.approver_api(airflow.state)
    form = {"min_age_minutes": 0, "dry_run": False, "finding_ids": asking.releasing.findings}
    own = start_run(approver, names.RELEASE_HOLDS_DAG, form)
    airflow.wait_for_question(own, "approve")

    run = run_with_plan_of_another(airflow, own, dry_run=False)

    assert end_with_any_answer(airflow, run, "Release all") == "failed"
    assert "did not plan question" in airflow.task_log(run, "approve")
    assert (asking.releasing.purse.holds, asking.releasing.cancels) == (["open"], 0)
