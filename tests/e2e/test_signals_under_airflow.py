"""Signals through a real Airflow with the live service's dialect: the receiver in its api-server, and what a run makes of them."""

import json
import os
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from devstack import names
from devstack.cli import REPOSITORY
from devstack.components import airflow_command, wait_for_airflow
from devstack.dag_runs import start_run, wait_until_parsed
from devstack.processes import spawn, stop
from devstack.purposes import DEMO
from devstack.settings import StackPaths
from devstack.stack import Stack
from devstack.state import StackState
from e2e_support import wait_until
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.signals.secret_book import add_secret
from syrve.signals.webhooks import WANTED
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve_simulator.process import SimulatorProcess, start_simulator

SIGNALS_DAG = "syrve_signals"
SECRET = "secret-of-the-live-service-000001"
ON_DEMAND = replace(DEMO, uses_own_connections=True, shows_live_service=False)


@dataclass
class Live:
    """An Airflow whose account is a simulated live service that sends its webhooks to it."""

    stack: Stack
    state: StackState
    service: SimulatorProcess
    organization_id: str

    @property
    def receiver(self) -> str:
        return f"{self.state.api_url}/syrve-signals"

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        warehouse = Warehouse(url_from_text(str(self.state.warehouse_dsn)))
        with warehouse.transaction("test") as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def put_order(self, **order: Any) -> str:
        return str(self.service.control.put_order(self.organization_id, **order)["id"])

    def kill_api_server(self) -> None:
        """End it as a machine does that loses power, and start it again on its port."""
        record = next(each for each in self.state.components if each.name == "api-server")
        stop([record], grace_seconds=0.0)
        self.state.components.remove(record)
        again = spawn(airflow_command(self.stack.paths, "api-server", self.stack.environment_of(self.state)))
        self.state.components.append(again)
        wait_for_airflow(self.stack.api(self.state), [again])


@pytest.fixture(scope="module")
def service() -> Iterator[SimulatorProcess]:
    with start_simulator(customers=30, organizations=1, seed=16, dialect="cloud") as process:
        yield process


@pytest.fixture(scope="module")
def live(service: SimulatorProcess) -> Iterator[Live]:
    home = Path(tempfile.mkdtemp(prefix="syrve-e2e-signals-"))
    home.chmod(0o711)
    extra = {"dialect": "cloud", "default_region": "RU", "budgets": names.SIMULATOR_BUDGETS_PER_MINUTE}
    account = {"conn_type": "syrve", "host": service.url, "password": names.API_LOGIN, "extra": extra}
    environ = os.environ | {
        names.SYRVE_CONNECTION_VARIABLE: json.dumps(account),
        "SYRVE_SIGNALS_LISTEN_SECONDS": "45",
    }
    stack = Stack(StackPaths(REPOSITORY, home / "stack", REPOSITORY / "dags"), environ, print)
    state = stack.bring_up(ON_DEMAND)
    try:
        organization_id = service.control.organizations()[0]["organization_id"]
        found = Live(stack, state, service, organization_id)
        add_secret(Warehouse(url_from_text(str(state.warehouse_dsn))), organization_id, SECRET)
        config = SyrveConfig(base_url=service.url, api_login=names.API_LOGIN, dialect="cloud")
        with SyrveClient(config) as client:
            client.update_webhook_settings(organization_id, f"{found.receiver}/events", SECRET, WANTED)
        yield found
    finally:
        stack.take_down(state, grace_seconds=5.0)
        shutil.rmtree(home, ignore_errors=True)


def test_mounted_receiver_proves_its_senders(live: Live) -> None:
    body = {"eventType": "DeliveryOrderUpdate", "eventInfo": {"id": live.organization_id, "order": {}}}
    with httpx.Client(trust_env=False, timeout=30) as client:
        assert client.get(f"{live.receiver}/health").json() == {"status": "ok"}
        assert client.post(f"{live.receiver}/events", json=[body]).status_code == 401
        wrong = {"Authorization": "wrong-secret-of-a-stranger-0000"}
        assert client.post(f"{live.receiver}/events", json=[body], headers=wrong).status_code == 401

    assert live.rows("select count(*) from sync.signal") == [(0,)]


def test_unknown_guest_is_in_the_mirror_after_an_order(live: Live) -> None:
    api = live.stack.api(live.state)
    wait_until_parsed(api, live.stack.paths.dags, SIGNALS_DAG, not_before=0.0)
    api.set_paused(SIGNALS_DAG, paused=False)
    (guest,) = live.service.control.customers_page(live.organization_id, limit=1)
    run = start_run(api, SIGNALS_DAG, {})
    wait_until(
        lambda: any(task.state == "running" for task in api.tasks(SIGNALS_DAG, run.run_id)), "the run listens", 120
    )

    order_id = live.put_order(customer_id=guest["customer_id"], phone=guest["phone"])

    seen = "select count(*) from syrve.customer where customer_id = %s"
    wait_until(lambda: live.rows(seen, guest["customer_id"]) == [(1,)], "the guest is in the mirror", 40)
    assert live.rows("select source from sync.roster") == [("order",)]
    state = "select state from wallet.payment_order where order_id = %s"
    assert live.rows(state, order_id) == [("open",)]
    log = live.stack.paths.log("api-server").read_text()
    assert str(guest["phone"]).lstrip("+") not in log
    assert SECRET not in log


def test_kill_of_the_api_server_loses_no_webhook(live: Live) -> None:
    orders = [str(uuid.uuid4()) for _ in range(60)]
    taken: list[str] = []

    def send(order_id: str) -> None:
        """Send an event until it is taken, as a sender that repeats does."""
        body = [{"eventType": "DeliveryOrderUpdate", "eventInfo": {"id": order_id, "order": {"status": "Closed"}}}]
        with httpx.Client(trust_env=False, timeout=10, headers={"Authorization": SECRET}) as client:

            def is_taken() -> bool:
                with suppress(httpx.HTTPError):
                    return client.post(f"{live.receiver}/events", json=body).status_code == 200
                return False

            wait_until(is_taken, "an event is taken", 240)
        taken.append(order_id)

    with ThreadPoolExecutor(2) as senders:
        sent = [senders.submit(send, order_id) for order_id in orders]
        wait_until(lambda: len(taken) >= 10, "some events are taken", 60)
        live.kill_api_server()
        for each in sent:
            each.result()

    found = Counter(str(order_id) for (order_id,) in live.rows("select order_id from sync.signal"))
    assert {order_id: found[order_id] for order_id in orders} == dict.fromkeys(orders, 1)
