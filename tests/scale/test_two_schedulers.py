"""Two schedulers of one Airflow: each interval is run once and each change is sent once, also when one of them is killed."""

import os
import signal
from collections import Counter
from collections.abc import Iterator

import pytest

from devstack import names
from devstack.processes import stop, wait_for
from fixtures.celery_stack import CeleryStack
from scale.conftest import celery

EVERY_MINUTE = "* * * * *"

WAVE = 60
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def scheduled() -> Iterator[CeleryStack]:
    """A stack with two schedulers whose pulls and pushes are due every minute."""
    schedules = {"SYRVE_CUSTOMERS_SCHEDULE": EVERY_MINUTE, "SYRVE_CRM_PUSH_SCHEDULE": EVERY_MINUTE}
    with celery(schedules | {"SYRVE_MAX_SHARDS": "2", "SYRVE_SHARD_SIZE": "500"}, follows_schedules=True) as stack:
        stack.start_worker("worker-1")
        stack.start_scheduler("scheduler-2")
        yield stack


def metadata(stack: CeleryStack, query: str, *values: object) -> list[tuple[object, ...]]:
    return stack.rows(query, *values, database=names.METADATA_DATABASE)


def want(stack: CeleryStack, wave: str) -> None:
    """Let the CRM want another e-mail address of guests whom no wave had before."""
    stack.rows(
        "insert into crm.customer (organization_id, customer_id, email) "
        "select organization_id, customer_id, %s || '-' || row_number() over (order by customer_id) || '@example.com' "
        "from syrve.customer where (organization_id, customer_id) not in (select organization_id, customer_id from crm.customer) "
        "order by customer_id limit %s",
        wave,
        WAVE,
    )


def sent(stack: CeleryStack) -> int:
    calls = stack.simulator.calls()["operations"]
    return calls["create_or_update"]["received"] if "create_or_update" in calls else 0


def ended(stack: CeleryStack, dag_id: str) -> int:
    query = "select count(*) from dag_run where dag_id = %s and run_type = 'scheduled' and state = 'success'"
    return int(str(metadata(stack, query, dag_id)[0][0]))


def wait_for_runs(stack: CeleryStack, more: int) -> None:
    """Wait until so many more runs of both DAGs have ended well."""
    dag_ids = (names.CUSTOMERS_DAG, names.CRM_PUSH_DAG)
    aims = {dag_id: ended(stack, dag_id) + more for dag_id in dag_ids}

    def all_ended() -> bool:
        return all(ended(stack, dag_id) >= aim for dag_id, aim in aims.items())

    wait_for(f"{more} more runs of each", all_ended, timeout_seconds=420)


def test_two_schedulers_run_each_interval_and_send_each_change_once(scheduled: CeleryStack) -> None:
    scheduled.fill_roster()
    for dag_id in (names.CUSTOMERS_DAG, names.CRM_PUSH_DAG):
        scheduled.api.set_paused(dag_id, paused=False)
    wait_for_runs(scheduled, 2)
    want(scheduled, "first")
    wait_for("The first wave", lambda: sent(scheduled) >= WAVE, timeout_seconds=240)

    (first,) = [each for each in scheduled.state.components if each.name == "scheduler"]
    scheduled.state.components.remove(first)
    os.kill(first.pid, signal.SIGKILL)
    stop([first], grace_seconds=1.0)
    want(scheduled, "second")
    wait_for("The second wave", lambda: sent(scheduled) >= 2 * WAVE, timeout_seconds=300)
    wait_for_runs(scheduled, 2)

    assert sent(scheduled) == 2 * WAVE
    assert scheduled.rows(
        "select count(*) from crm.push where operation = 'create_or_update' and outcome = 'acknowledged'"
    ) == [(2 * WAVE,)]
    runs = metadata(
        scheduled, "select dag_id, data_interval_start, state from dag_run where run_type = 'scheduled' order by 1, 2"
    )
    repeated = [key for key, times in Counter((dag_id, start) for dag_id, start, _ in runs).items() if times > 1]
    tries = metadata(scheduled, "select dag_id, run_id, task_id, try_number from task_instance where try_number > 1")
    starters = metadata(
        scheduled, "select queued_by_job_id, count(*) from task_instance where queued_by_job_id is not null group by 1"
    )
    print(f"{len(runs)} scheduled runs, tasks by scheduler {starters}, second tries {tries}")
    assert repeated == []
    assert {state for _, _, state in runs} <= {"success", "running", "queued"}
    assert len(starters) == 2, "both schedulers have started tasks"
