"""What the end-to-end tests share."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from devstack.errors import StackError


def wait_until(condition: Callable[[], bool], what: str, timeout_seconds: float = 240.0) -> None:
    """Wait for a condition, looking often; fail by naming it."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_seconds:.0f} s in vain until {what}"
        time.sleep(0.15)


def states(airflow: Any, run: Any) -> list[str | None]:
    """The states of a run's tasks."""
    return [task.state for task in airflow.api.tasks(run.dag_id, run.run_id)]


def answer_until_taken(airflow: Any, run: Any, is_taken: Callable[[], bool], *beginnings: str) -> None:
    """Answer at once, and again whenever Airflow asks again: it may lose an answer given in the first moments."""

    def answered() -> bool:
        if "awaiting_input" in states(airflow, run):
            try:
                airflow.answer(run, *(beginnings or ("Approve",)))
            except StackError:
                return is_taken()  # it was answered a moment ago
        return is_taken()

    wait_until(answered, "the approval is recorded", timeout_seconds=400.0)


def answer_in_two_browsers(airflow: Any, run: Any, *answers: str) -> int:
    """Give each answer at the same moment; returns how many Airflow took."""

    def answer(beginning: str) -> bool:
        try:
            airflow.answer(run, beginning)
        except StackError:
            return False
        return True

    with ThreadPoolExecutor(len(answers)) as pool:
        return sum(pool.map(answer, answers))


def run_with_plan_of_another(airflow: Any, other: Any, **form: Any) -> Any:
    """Let the admin start a run, to which the approver gives the plan of another run by Airflow's API; returns the admin's run."""
    approver = airflow.stack.approver_api(airflow.state)
    path = f"/dags/{other.dag_id}/dagRuns/{{}}/taskInstances/plan"
    value = approver.call("GET", f"{path.format(other.run_id)}/xcomEntries/return_value", "read an XCom").json()[
        "value"
    ]
    approver.set_paused(other.dag_id, paused=True)
    try:
        run = airflow.start(other.dag_id, **form)
        approver.call("PATCH", path.format(run.run_id), "mark a task", body={"new_state": "success"})
        body = {"key": "return_value", "value": value, "map_index": -1}
        approver.call("POST", f"{path.format(run.run_id)}/xcomEntries", "make an XCom", body=body)
    finally:
        approver.set_paused(other.dag_id, paused=False)
    return run


def end_with_any_answer(airflow: Any, run: Any, *beginnings: str) -> str:
    """Return how a run ended; where it asks, the approver has agreed."""
    final = {"success", "failed", "upstream_failed", "skipped"}
    wait_until(
        lambda: "awaiting_input" in (found := states(airflow, run)) or set(found) <= final, "the run asks or ends"
    )
    if "awaiting_input" in states(airflow, run):
        airflow.wait_for_question(run, "approve")
        airflow.answer(run, *beginnings)
    return str(airflow.finish(run))
