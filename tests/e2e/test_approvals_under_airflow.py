"""An approval is for what was shown: whatever is cleared, marked or answered in a hurry, nothing else is sent."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

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


@dataclass
class Campaign:
    """A campaign of one test, over customers whom the mirror knows."""

    airflow: Any
    guests: list[Any]
    name: str

    def write(self, count: int, amount: str = "5.00") -> None:
        """Write a list of so many customers into the inbox."""
        rows = "".join(f"{each['customer_id']},{amount}\n" for each in self.guests[:count])
        (self.airflow.stack.paths.inbox / f"{self.name}.csv").write_text("customer_id,amount\n" + rows)

    @property
    def form(self) -> dict[str, Any]:
        organization_id = self.guests[0]["organization_id"]
        return {
            "campaign": self.name,
            "path": f"{self.name}.csv",
            "organization_id": organization_id,
            "dry_run": False,
        }

    def start(self) -> Any:
        return self.airflow.start(names.BULK_TOPUP_DAG, **self.form)

    def ask(self) -> Any:
        run = self.start()
        self.airflow.wait_for_question(run, "approve")
        return run

    @property
    def credited(self) -> int:
        """How many top-ups arrived at Syrve."""
        return int(self.airflow.simulator.calls()["operations"].get("wallet_topup", {}).get("received", 0))

    def events(self) -> list[tuple[Any, ...]]:
        query = (
            "select e.state, e.requested_by, e.decided_by from sync.approval_event as e inner join sync.approval as a "
            "using (approval_id) where a.subject like %s order by e.occurred_at"
        )
        return list(self.airflow.rows(query, f"campaign {self.name},%"))


@pytest.fixture(scope="module")
def mirrored(live_airflow: Any) -> list[Any]:
    people = live_airflow.fresh(customers=60)
    assert live_airflow.run(names.CUSTOMERS_DAG)[0] == "success"
    return [each for each in people if len(each["wallets"]) == 1][:12]


@pytest.fixture
def campaign(airflow: Any, mirrored: list[Any]) -> Campaign:
    return Campaign(airflow, mirrored, f"approvals-{uuid4().hex[:8]}")


def test_list_that_changes_while_it_waits_is_not_sent(airflow: Any, campaign: Campaign) -> None:
    campaign.write(1)
    run = campaign.ask()
    campaign.write(12, "500.00")

    airflow.clear(run, "plan")

    assert airflow.finish(run) == "failed"
    assert "it was cleared" in airflow.task_log(run, "plan")
    assert (airflow.task_states()["plan"], airflow.task_states()["send"]) == ("failed", "upstream_failed")
    airflow.answer(run, "Approve")  # Airflow takes it, for a question whose task is over
    assert airflow.finish(run) == "failed"
    assert (campaign.credited, campaign.events()) == (0, [])


def test_same_list_that_is_planned_again_keeps_its_question(airflow: Any, campaign: Campaign) -> None:
    campaign.write(2)
    run = campaign.ask()
    airflow.clear(run, "plan")
    wait_until(lambda: "awaiting_input" not in states(airflow, run), "the task is cleared")
    wait_until(lambda: "awaiting_input" in states(airflow, run), "it asks again")
    time.sleep(2)

    airflow.answer(run, "Approve")

    assert airflow.finish(run) == "success"
    assert (campaign.credited, campaign.events()) == (2, [("approved", "admin", "approver")])


def test_list_that_changes_after_the_answer_is_not_sent(airflow: Any, campaign: Campaign) -> None:
    campaign.write(1)
    run = campaign.ask()
    airflow.answer(run, "Approve")
    assert airflow.finish(run) == "success"
    campaign.write(12, "500.00")

    airflow.clear(run, "plan")

    assert airflow.finish(run) == "failed"
    assert "it was cleared" in airflow.task_log(run, "plan")
    assert campaign.credited == 1


def test_approval_that_is_cleared_asks_nobody_and_sends_nothing_more(airflow: Any, campaign: Campaign) -> None:
    campaign.write(1)
    run = campaign.ask()
    airflow.answer(run, "Approve")
    assert airflow.finish(run) == "success"

    airflow.clear(run, "approve")

    assert airflow.finish(run) == "success"
    assert (campaign.credited, campaign.events()) == (1, [("approved", "admin", "approver")])


def test_task_marked_as_success_by_hand_sends_nothing(airflow: Any, campaign: Campaign) -> None:
    campaign.write(1)
    run = campaign.ask()

    airflow.mark_success(run, "approve")

    assert airflow.finish(run) == "failed"
    assert airflow.task_states()["send"] == "failed"
    assert "NotApproved" in airflow.task_log(run, "send")
    assert (campaign.credited, campaign.events()) == (0, [])


def test_who_started_the_run_can_not_approve_it(airflow: Any, campaign: Campaign) -> None:
    campaign.write(1)
    run = campaign.ask()

    airflow.answer(run, "Approve", as_admin=True)
    wait_until(lambda: campaign.events() == [("not_counted", "admin", "admin")], "the answer is not counted")
    answer_until_taken(airflow, run, lambda: len(campaign.events()) == 2)

    assert airflow.finish(run) == "success"
    assert campaign.events() == [("not_counted", "admin", "admin"), ("approved", "admin", "approver")]
    assert campaign.credited == 1


@pytest.mark.parametrize("turn", range(3))
def test_answer_within_a_second_counts_once(airflow: Any, campaign: Campaign, turn: int) -> None:
    campaign.write(1)
    run = campaign.start()
    wait_until(lambda: "awaiting_input" in states(airflow, run), "approve asks a person")

    answer_until_taken(airflow, run, lambda: bool(campaign.events()))

    assert airflow.finish(run) == "success"
    assert (campaign.credited, campaign.events()) == (1, [("approved", "admin", "approver")])


def test_two_answers_at_once_are_one_decision(airflow: Any, campaign: Campaign) -> None:
    campaign.write(1)
    run = campaign.ask()

    answer_in_two_browsers(airflow, run, "Approve", "Reject")

    assert airflow.finish(run) == "success"
    ((state, _, by),) = campaign.events()
    assert (by, campaign.credited) == ("approver", 1 if state == "approved" else 0)


def test_list_of_another_run_is_not_asked_about(airflow: Any, campaign: Campaign) -> None:
    campaign.write(12, "500.00")
    approver = airflow.stack.approver_api(airflow.state)
    own = start_run(approver, names.BULK_TOPUP_DAG, campaign.form)
    airflow.wait_for_question(own, "approve")

    run = run_with_plan_of_another(airflow, own, **campaign.form)

    assert end_with_any_answer(airflow, run, "Approve") == "failed"
    assert "did not plan campaign" in airflow.task_log(run, "approve")
    assert (campaign.credited, campaign.events()) == (0, [])
