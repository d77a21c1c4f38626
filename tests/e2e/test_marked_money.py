"""A release is marked by hand, or only what failed is cleared: no hold is cancelled twice, and none that was not shown."""

from collections.abc import Iterator
from typing import Any

import pytest

from e2e_support import end_with_any_answer, wait_until
from fixtures.live_questions import Asking, asking

__all__ = ["asking"]
HANGS_SECONDS = 25.0
"""Longer than Airflow needs to notice that a task was marked, and to end its process."""


@pytest.fixture(autouse=True)
def no_faults(airflow: Any) -> Iterator[None]:
    yield
    airflow.simulator.clear_faults()


def hang(airflow: Any, operation: str) -> None:
    """Let the answer to the next call of an operation come long after it was carried out."""
    fault = {"operation": operation, "fault": "stall", "stall_seconds": HANGS_SECONDS, "count": 1}
    airflow.simulator.set_faults([fault])


def received(airflow: Any, operation: str) -> int:
    return int(airflow.simulator.calls()["operations"].get(operation, {}).get("received", 0))


def mark_amid_the_call(airflow: Any, run: Any, task_id: str, operation: str, state: str) -> None:
    wait_until(lambda: received(airflow, operation) == 1, f"{operation} arrives", timeout_seconds=140.0)
    airflow.mark(run, task_id, state)
    airflow.finish(run)


@pytest.mark.parametrize("state", ["failed", "success"])
def test_release_marked_amid_a_call_cancels_once(airflow: Any, asking: Asking, state: str) -> None:
    hold_id = asking.releasing.dangling("10.00")
    run = asking.ask()
    hang(airflow, "wallet_cancel_hold")
    airflow.answer(run, "Release all")

    mark_amid_the_call(airflow, run, "release", "wallet_cancel_hold", state)
    airflow.clear(run, "release", only_failed=state == "failed")
    airflow.finish(run)

    assert (asking.releasing.purse.holds, asking.releasing.cancels) == (["cancelled"], 1)
    assert asking.releasing.outcome(hold_id)[0] in ("released", "unsettled"), "never approved and forgotten"


def test_preview_of_a_release_opened_by_hand_cancels_nothing(airflow: Any, asking: Asking) -> None:
    asking.releasing.dangling("10.00")
    preview = asking.preview()
    assert airflow.finish(preview) == "success"

    airflow.clear(preview, "approve")
    end_with_any_answer(airflow, preview, "Release all")
    airflow.mark(preview, "approve", "success")
    airflow.clear(preview, "release")
    airflow.finish(preview)

    assert (asking.releasing.purse.holds, asking.releasing.cancels) == (["open"], 0)
