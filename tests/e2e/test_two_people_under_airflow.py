"""One person alone moves no money under the name of another: by a run of theirs that is cleared, queued or made anew."""

from typing import Any
from uuid import uuid4

import pytest

from devstack import names
from devstack.dag_runs import DagRun


class Taken:
    """A run of one user that failed because its list was missing, and another user who brings a list and would approve it."""

    def __init__(self, airflow: Any, customer: Any) -> None:
        self.airflow = airflow
        self.name = f"taken-{uuid4().hex[:8]}"
        self.customer = customer
        form = {"campaign": self.name, "path": f"{self.name}.csv", "organization_id": customer["organization_id"]}
        outcome, self.run = airflow.run(names.BULK_TOPUP_DAG, **form, dry_run=False)
        assert outcome == "failed"

    def bring_list(self) -> None:
        rows = f"customer_id,amount\n{self.customer['customer_id']},50.00\n"
        (self.airflow.stack.paths.inbox / f"{self.name}.csv").write_text(rows)

    def clear(self, *, resets_runs: bool) -> None:
        """Have the other user clear the plan and what comes after it."""
        body = {"dry_run": False, "dag_run_id": self.run.run_id, "task_ids": ["plan"], "only_failed": False}
        body |= {"include_downstream": True, "reset_dag_runs": resets_runs}
        self.other("POST", f"/dags/{self.run.dag_id}/clearTaskInstances", body)
        if not resets_runs:
            self.other("PATCH", f"/dags/{self.run.dag_id}/dagRuns/{self.run.run_id}", {"state": "queued"})

    def make_tasks_again(self) -> None:
        """Have the other user delete the tasks of the run, and queue it: Airflow makes new ones, and counts their tries from 1."""
        run = f"/dags/{self.run.dag_id}/dagRuns/{self.run.run_id}"
        for task in self.airflow.api.tasks(self.run.dag_id, self.run.run_id):
            self.other("DELETE", f"{run}/taskInstances/{task.task_id}", None)
        self.other("PATCH", run, {"state": "queued"})

    def other(self, method: str, path: str, body: Any) -> Any:
        api = self.airflow.stack.approver_api(self.airflow.state)
        return api.call(method, path, "try something", body=body)

    @property
    def asked(self) -> list[Any]:
        return list(self.airflow.rows("select * from sync.approval where subject like %s", f"campaign {self.name},%"))


@pytest.fixture(scope="module")
def customer(live_airflow: Any) -> Any:
    people = live_airflow.fresh(customers=20)
    assert live_airflow.run(names.CUSTOMERS_DAG)[0] == "success"
    return next(each for each in people if len(each["wallets"]) == 1)


@pytest.mark.parametrize("resets_runs", [True, False], ids=["cleared", "cleared and queued"])
def test_list_brought_into_anothers_run_is_not_asked_about(airflow: Any, customer: Any, resets_runs: bool) -> None:
    taken = Taken(airflow, customer)
    taken.bring_list()

    taken.clear(resets_runs=resets_runs)

    assert airflow.finish(taken.run) == "failed"
    assert "it was cleared, and Airflow does not say by whom" in airflow.task_log(taken.run, "plan")
    assert taken.asked == []


def test_tasks_made_again_in_anothers_run_ask_about_nothing(airflow: Any, customer: Any) -> None:
    taken = Taken(airflow, customer)
    taken.bring_list()

    taken.make_tasks_again()

    assert airflow.finish(taken.run) == "failed"
    assert "its tasks were deleted and made again" in airflow.task_log(taken.run, "plan")
    assert taken.asked == []


def test_run_that_is_deleted_and_made_anew_keeps_no_starter(airflow: Any, customer: Any) -> None:
    taken = Taken(airflow, customer)
    taken.bring_list()
    path = f"/dags/{taken.run.dag_id}/dagRuns"

    taken.other("DELETE", f"{path}/{taken.run.run_id}", None)
    conf = {"campaign": taken.name, "path": f"{taken.name}.csv", "organization_id": customer["organization_id"]}
    taken.other(
        "POST", path, {"dag_run_id": taken.run.run_id, "logical_date": None, "conf": conf | {"dry_run": "Send"}}
    )
    run = DagRun(taken.run.dag_id, taken.run.run_id)
    airflow.wait_for_question(run, "approve")

    assert airflow.rows("select requested_by from sync.approval where run_id = %s", run.run_id) == [("approver",)]
    airflow.answer(run, "Reject")
    assert airflow.finish(run) == "success"
