"""The stack of docker-compose.yml in containers: health, a pull, a killed worker, an analyst, down and up."""

import secrets

import pytest
import requests

from containers.container_stack import ContainerStack, documented
from containers.podman import MINUTE, CommandFailedError
from devstack import names
from devstack.errors import StackError
from devstack.processes import wait_for

pytestmark = pytest.mark.timeout(100 * MINUTE)
LATENCY_MS = 1500
GUESTS = "select organization_id, customer_id, phone from syrve.customer order by 1, 2, 3"
PERSONAL = """
    select distinct value
    from syrve.customer
    cross join lateral (values (phone), (email), (name), (surname)) as field (value)
    where length(value) > 3
"""
MIRROR = "sync.roster, sync.held_back, syrve.customer, syrve.wallet_balance, syrve.card, syrve.customer_category"


@pytest.fixture
def roster(stack: ContainerStack) -> int:
    """An empty mirror, and every customer of the simulator on the roster by the documented command; returns how many."""
    stack.warehouse(f"truncate {MIRROR}")
    stack.shell(documented("copy sync.roster"))
    return int(stack.warehouse("select count(*) from sync.roster"))


def landed(stack: ContainerStack) -> int:
    return int(stack.warehouse("select count(*) from syrve.customer"))


def pull(stack: ContainerStack) -> str:
    return stack.finish(stack.start(names.CUSTOMERS_DAG))


def test_every_service_is_healthy_and_every_dag_is_read(stack: ContainerStack) -> None:
    assert [service for service in stack.services if not stack.is_healthy(service)] == []
    assert "init: ready" in stack.logs("init")
    assert stack.api().import_failures() == []


def test_login_takes_the_password_of_the_env_file_alone(stack: ContainerStack) -> None:
    assert stack.api().dag(names.CUSTOMERS_DAG) is not None

    with pytest.raises(StackError, match="HTTP 401"):
        stack.api(secrets.token_hex(16)).dag(names.CUSTOMERS_DAG)
    anonymous = requests.get(f"{stack.api().base_url}/api/v2/dags", timeout=MINUTE)
    assert anonymous.status_code == 401


def test_pull_brings_every_guest_of_the_roster(stack: ContainerStack, roster: int) -> None:
    assert pull(stack) == "success"

    assert roster > 0
    assert landed(stack) == roster


def test_analyst_sees_masked_guests_and_changes_nothing(stack: ContainerStack, roster: int) -> None:
    assert pull(stack) == "success"
    password = secrets.token_hex(16)
    stack.warehouse(f"drop role if exists anna; create role anna login in role syrve_analyst password '{password}'")

    def ask(query: str) -> str:
        url = f"postgresql://anna:{password}@127.0.0.1:5432/warehouse"
        psql = ["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", url]
        return stack.execute("warehouse-db", *psql, standard_input=query)

    seen = ask("select to_jsonb(customer) from analytics.customer")
    personal = stack.warehouse(PERSONAL).splitlines()
    assert len(seen.splitlines()) == landed(stack)
    assert '"phone_masked": "' in seen
    assert len(personal) > roster
    assert [value for value in personal if value in seen] == []
    for query in ("select phone from syrve.customer", "delete from analytics.customer", "create table t (i int)"):
        with pytest.raises(CommandFailedError, match="permission denied"):
            ask(query)
    stack.warehouse("drop role anna")


def test_worker_killed_in_a_pull_loses_nothing(stack: ContainerStack, roster: int) -> None:
    assert pull(stack) == "success"
    before = stack.warehouse(GUESTS)
    stack.warehouse(f"truncate {MIRROR}")
    stack.shell(documented("copy sync.roster"))
    stack.simulator(f"control.set_switches(latency_ms={LATENCY_MS})")
    run = stack.start(names.CUSTOMERS_DAG)

    def in_the_middle() -> bool:
        under_way = any(task.task_id == "pull" and task.state == "running" for task in stack.tasks(run))
        return under_way and 0 < landed(stack) < roster

    wait_for("The middle of the pull", in_the_middle, timeout_seconds=10 * MINUTE, poll_seconds=1)
    stack.kill("worker")
    assert landed(stack) < roster
    stack.simulator("control.set_switches(latency_ms=0)")

    stack.wait_until_ready("worker")
    assert stack.finish(run) == "success"
    assert stack.warehouse(GUESTS) == before
    assert any(task.try_number > 1 for task in stack.tasks(run)), "no task was interrupted"


def test_down_leaves_no_container_and_up_keeps_the_data(stack: ContainerStack, roster: int) -> None:
    assert pull(stack) == "success"
    before = stack.warehouse(GUESTS)

    stack.down()
    left = stack.left()
    assert not {"container", "pod"} & set(left)
    assert left["volume"], "the volumes hold the data"
    stack.up()

    assert stack.warehouse(GUESTS) == before
    assert stack.api().unfinished_runs(names.CUSTOMERS_DAG) == []
    assert pull(stack) == "success"
    assert landed(stack) == roster
