"""A push is of the plan that was shown: whatever is cleared, marked or answered in a hurry, no other change is sent."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from devstack import names
from e2e_support import answer_in_two_browsers, answer_until_taken, states, wait_until


@dataclass
class Pushing:
    """A few customers whom the CRM wants to change."""

    airflow: Any
    people: list[Any]

    def want(self, surname: str, count: int) -> None:
        """Let the CRM want another surname for so many customers."""
        lines = [f"{each['customer_id']},{surname} {number}" for number, each in enumerate(self.people[:count])]
        inbox = self.airflow.stack.paths.inbox / "push-approvals.csv"
        inbox.write_text("customer_id,surname\n" + "\n".join(lines) + "\n")
        form = {"path": inbox.name, "organization_id": self.people[0]["organization_id"]}
        assert self.airflow.run(names.CRM_IMPORT_DAG, dry_run=False, **form)[0] == "success"

    def start(self) -> Any:
        return self.airflow.start(names.CRM_PUSH_DAG, dry_run=False, approval_customers=0)

    def ask(self) -> Any:
        run = self.start()
        self.airflow.wait_for_question(run, "approve")
        return run

    @property
    def sent(self) -> int:
        return int(self.airflow.simulator.calls()["operations"].get("create_or_update", {}).get("received", 0))

    def decided(self, run: Any) -> list[tuple[Any, ...]]:
        query = "select state, decided_by from sync.approval_state where kind = 'crm_push' and run_id = %s and state <> 'asked'"
        return list(self.airflow.rows(query, run.run_id))


@pytest.fixture
def pushing(airflow: Any) -> Pushing:
    people = airflow.fresh(customers=8)
    assert airflow.run(names.CUSTOMERS_DAG)[0] == "success"
    one = Pushing(airflow, people)
    one.want(f"One-{uuid4().hex[:6]}", 2)  # Syrve has kept what an earlier test pushed
    airflow.simulator.reset_calls()
    return one


def test_plan_that_changes_while_it_waits_is_not_pushed(airflow: Any, pushing: Pushing) -> None:
    run = pushing.ask()
    pushing.want("Other", 8)

    airflow.clear(run, "plan")

    assert airflow.finish(run) == "failed"
    assert "QuestionOutdated" in airflow.task_log(run, "approve")
    assert (pushing.sent, pushing.decided(run)) == (0, [])


def test_plan_that_changes_after_the_answer_is_not_pushed(airflow: Any, pushing: Pushing) -> None:
    run = pushing.ask()
    answer_in_two_browsers(airflow, run, "Approve", "Approve")
    assert airflow.finish(run) == "success"
    assert (pushing.sent, pushing.decided(run)) == (2, [("approved", "approver")])
    airflow.clear(run, "approve")
    assert airflow.finish(run) == "success"
    pushing.want("Other", 8)

    airflow.clear(run, "plan")

    assert airflow.finish(run) == "failed"
    assert pushing.sent == 2


def test_push_marked_as_approved_by_hand_sends_nothing(airflow: Any, pushing: Pushing) -> None:
    run = pushing.ask()

    airflow.mark_success(run, "approve")

    assert airflow.finish(run) == "failed"
    assert "NotApproved" in airflow.task_log(run, "apply")
    assert (pushing.sent, pushing.decided(run)) == (0, [])


def test_push_answered_within_a_second_is_sent_once(airflow: Any, pushing: Pushing) -> None:
    run = pushing.start()
    wait_until(lambda: "awaiting_input" in states(airflow, run), "approve asks a person")

    answer_until_taken(airflow, run, lambda: bool(pushing.decided(run)))

    assert airflow.finish(run) == "success"
    assert (pushing.sent, pushing.decided(run)) == (2, [("approved", "approver")])
