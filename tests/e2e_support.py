"""What the end-to-end tests share."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from devstack.errors import StackError


def wait_until(condition: Callable[[], bool], what: str, timeout_seconds: float = 60.0) -> None:
    """Wait for a condition, looking often; fail by naming it."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_seconds:.0f} s in vain until {what}"
        time.sleep(0.05)


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

    wait_until(answered, "the approval is recorded", timeout_seconds=140.0)


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
