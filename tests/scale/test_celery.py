"""The work of the demo over two Celery workers, while a worker and Redis are killed."""

import time
from collections.abc import Iterator

import pytest

from devstack import names
from devstack.dag_runs import DagRun
from devstack.processes import wait_for
from fixtures.celery_stack import CeleryStack

MOST_RECOVERY_SECONDS = 120
LATENCY_MS = 400
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture
def workers(celery_stack: CeleryStack) -> Iterator[CeleryStack]:
    """The stack with both workers, a quick simulator and everybody on the roster."""
    for name in ("worker-1", "worker-2"):
        if name not in celery_stack.workers:
            celery_stack.start_worker(name)
    celery_stack.fill_roster()
    yield celery_stack
    celery_stack.simulator.set_switches(latency_ms=0)


def landed(stack: CeleryStack) -> int:
    return int(stack.rows("select count(*) from syrve.customer")[0][0])


def pulling(stack: CeleryStack, run: DagRun, try_number: int = 1) -> list[int]:
    """Return the map indexes of the pulls that are under way in this try."""
    return [
        task.map_index
        for task in stack.tasks(run)
        if task.task_id == "pull" and task.state == "running" and task.try_number == try_number
    ]


def test_two_workers_share_the_pull_and_everybody_lands(workers: CeleryStack) -> None:
    on_the_roster = len(workers.rows("select 1 from sync.roster"))
    workers.simulator.set_switches(latency_ms=LATENCY_MS)
    run = workers.start(names.CUSTOMERS_DAG)

    assert workers.finish(run) == "success"
    assert landed(workers) == on_the_roster
    assert workers.ran_on(run) == {"worker-1", "worker-2"}


def test_pull_of_a_lost_worker_goes_on_within_two_minutes(workers: CeleryStack) -> None:
    on_the_roster = len(workers.rows("select 1 from sync.roster"))
    workers.simulator.set_switches(latency_ms=8 * LATENCY_MS)
    run = workers.start(names.CUSTOMERS_DAG)
    wait_for("Two pulls at work", lambda: len(pulling(workers, run)) == 2, timeout_seconds=120)
    workers.kill_worker("worker-1")
    killed_at = time.monotonic()

    wait_for("Going on", lambda: bool(pulling(workers, run, try_number=2)), timeout_seconds=300, poll_seconds=0.5)
    recovery_seconds = time.monotonic() - killed_at
    print(f"the pull of the lost worker went on after {recovery_seconds:.0f} s")
    workers.simulator.set_switches(latency_ms=0)

    assert workers.finish(run) == "success"
    assert recovery_seconds <= MOST_RECOVERY_SECONDS
    assert landed(workers) == on_the_roster
    kept = workers.rows("select value from task_state_store", database=names.METADATA_DATABASE)
    assert kept == [], "an interruption is no failure"


def test_redis_that_loses_its_queue_holds_up_no_run(workers: CeleryStack) -> None:
    on_the_roster = len(workers.rows("select 1 from sync.roster"))
    workers.kill_worker("worker-1")
    workers.kill_worker("worker-2")
    run = workers.start(names.CUSTOMERS_DAG)
    wait_for(
        "A task in the queue", lambda: any(task.state == "queued" for task in workers.tasks(run)), timeout_seconds=60
    )
    workers.restart_redis()
    lost_at = time.monotonic()
    workers.start_worker("worker-1")

    wait_for(
        "Going on",
        lambda: any(task.state in ("running", "success") for task in workers.tasks(run)),
        timeout_seconds=300,
    )
    recovery_seconds = time.monotonic() - lost_at
    print(f"the run went on {recovery_seconds:.0f} s after the queue was lost")
    assert workers.finish(run) == "success"
    assert recovery_seconds <= MOST_RECOVERY_SECONDS
    assert landed(workers) == on_the_roster
