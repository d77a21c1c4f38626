"""Signals through a real Airflow with the live service's dialect: the receiver in its api-server, and what a run makes of them."""

import json
import os
import shutil
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from devstack import environments, names
from devstack.cli import REPOSITORY
from devstack.components import airflow_command, wait_for_airflow
from devstack.dag_runs import follow, start_run, wait_until_parsed
from devstack.environments import StackPaths
from devstack.errors import StackError
from devstack.postgres import PORT, SUPERUSER, PostgresServer
from devstack.processes import spawn, stop
from devstack.purposes import DEMO
from devstack.stack import Stack
from devstack.state import StackState
from e2e_support import wait_until
from fixtures.listeners import accepting
from fixtures.postgres import DurableServer, running_server
from fixtures.tls_fronts import TlsFront
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.signals.secret_book import add_secret
from syrve.signals.webhooks import WANTED
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve_simulator.process import SimulatorProcess, start_simulator

SIGNALS_DAG, WEBHOOKS_DAG = "syrve_signals", "syrve_webhooks"
SECRET = "secret-of-the-live-service-000001"
ON_DEMAND = replace(DEMO, uses_own_connections=True, shows_live_service=False)


@dataclass
class Live:
    """An Airflow whose account is a simulated live service that sends its webhooks to it."""

    stack: Stack
    state: StackState
    service: SimulatorProcess
    server: PostgresServer
    organization_id: str
    front: TlsFront

    @property
    def address(self) -> str:
        """Where webhooks may go."""
        return f"{self.front.url}/syrve-signals/events"

    def run(self, dag_id: str, **conf: Any) -> tuple[str, str]:
        """Run a DAG to its end; returns its state, and the logs of its tasks."""
        api = self.stack.api(self.state)
        run = start_run(api, dag_id, conf)
        outcome = follow(api, run, self.state.components, lambda tasks: None, 150.0)
        folder = self.stack.paths.airflow_home / "logs" / f"dag_id={dag_id}" / f"run_id={run.run_id}"
        return outcome, "\n".join(file.read_text() for file in sorted(folder.rglob("*.log")))

    @property
    def receiver(self) -> str:
        return f"{self.state.api_url}/syrve-signals"

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with warehouse_of(self.server).transaction("test") as cursor:
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
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsFront]:
    """What has the certificate before the receiver."""
    made = TlsFront(tmp_path_factory.mktemp("front"))
    with accepting(made.listening, made.serve):
        yield made


@pytest.fixture(scope="module")
def service(front: TlsFront) -> Iterator[SimulatorProcess]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(front.certificate))
        process = start_simulator(customers=30, organizations=1, seed=16, dialect="cloud")
    with process:
        yield process


def warehouse_of(server: PostgresServer) -> Warehouse:
    return Warehouse(url_from_text(server.dsn(names.WAREHOUSE_DATABASE)))


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """The warehouse has a server of its own: it can be killed, and Airflow lives on."""
    with running_server(DurableServer) as running:
        running.create_database(names.WAREHOUSE_DATABASE)
        yield running


@pytest.fixture(scope="module")
def live(service: SimulatorProcess, server: PostgresServer, front: TlsFront) -> Iterator[Live]:
    home = Path(tempfile.mkdtemp(prefix="syrve-e2e-signals-"))
    home.chmod(0o711)
    extra = {"dialect": "cloud", "default_region": "RU", "budgets": names.SIMULATOR_BUDGETS_PER_MINUTE}
    account = {"conn_type": "syrve", "host": service.url, "password": names.API_LOGIN, "extra": extra}
    environ = os.environ | {
        names.SYRVE_CONNECTION_VARIABLE: json.dumps(account),
        names.WAREHOUSE_CONNECTION_VARIABLE: environments.warehouse_connection(
            server.socket_directory, SUPERUSER, PORT
        ),
        "SYRVE_SIGNALS_LISTEN_SECONDS": "45",
        "SYRVE_SIGNALS_ADDRESSES": f"{front.url}/syrve-signals/events",
    }
    stack = Stack(StackPaths(REPOSITORY, home / "stack", REPOSITORY / "dags"), environ, print)
    state = stack.bring_up(ON_DEMAND)
    try:
        organization_id = service.control.organizations()[0]["organization_id"]
        found = Live(stack, state, service, server, organization_id, front)
        front.target = ("127.0.0.1", int(state.api_url.rpartition(":")[2]))
        add_secret(warehouse_of(server), organization_id, SECRET)
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


def check_that_nothing_is_lost(live: Live, strike: Callable[[], None]) -> None:
    """Send events, repeated until they are taken, with a strike in the middle; each must be there once."""
    orders = [str(uuid.uuid4()) for _ in range(60)]
    taken: list[str] = []
    is_given_up = threading.Event()

    def send(order_id: str) -> None:
        body = [{"eventType": "DeliveryOrderUpdate", "eventInfo": {"id": order_id, "order": {"status": "Closed"}}}]
        with httpx.Client(trust_env=False, timeout=10, headers={"Authorization": SECRET}) as client:

            def is_over() -> bool:
                with suppress(httpx.HTTPError):
                    if client.post(f"{live.receiver}/events", json=body).status_code == 200:
                        taken.append(order_id)
                        return True
                return is_given_up.is_set()

            wait_until(is_over, "an event is taken", 200)

    with ThreadPoolExecutor(2) as senders:
        sent = [senders.submit(send, order_id) for order_id in orders]
        try:
            wait_until(lambda: len(taken) >= 10, "some events are taken", 60)
            strike()
            for each in sent:
                each.result()
        finally:
            is_given_up.set()

    found = Counter(str(order_id) for (order_id,) in live.rows("select order_id from sync.signal"))
    assert {order_id: found[order_id] for order_id in orders} == dict.fromkeys(orders, 1)


def test_kill_of_the_api_server_loses_no_webhook(live: Live) -> None:
    check_that_nothing_is_lost(live, live.kill_api_server)


def test_kill_of_postgres_under_the_mounted_receiver(live: Live) -> None:
    def is_up_again() -> bool:
        with suppress(StackError):
            live.server.start()
            return True
        return False

    def kill() -> None:
        live.server.stop(grace_seconds=0.0)
        with httpx.Client(trust_env=False, timeout=30) as client:
            body = [{"eventType": "Odd", "organizationId": live.organization_id}]
            answer = client.post(f"{live.receiver}/events", json=body, headers={"Authorization": SECRET})
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        wait_until(is_up_again, "what the killed server left is gone, and it starts", 60)

    check_that_nothing_is_lost(live, kill)

    assert live.rows("select count(*) from sync.signal where event_type = 'Odd'") == [(0,)]


def test_webhooks_that_the_dag_sets_up_bring_a_guest(live: Live) -> None:
    api = live.stack.api(live.state)
    wait_until_parsed(api, live.stack.paths.dags, WEBHOOKS_DAG, not_before=0.0)
    for dag_id in (WEBHOOKS_DAG, SIGNALS_DAG):
        api.set_paused(dag_id, paused=False)
    config = SyrveConfig(base_url=live.service.url, api_login=names.API_LOGIN, dialect="cloud")
    theirs = {"stopListUpdateFilter": {"updates": True}}
    with SyrveClient(config) as client:
        client.update_webhook_settings(live.organization_id, "https://other.example.com/hook", "their-token", theirs)

        taken, log = live.run(WEBHOOKS_DAG, url=live.address, dry_run=False)
        assert (taken, "webhooks of this organization go to other.example.com already" in log) == ("failed", True)
        passed_over = "select stage from sync.reject where entity = 'organization' and resolved_at is null"
        assert live.rows(passed_over) == [("webhooks",)]
        assert live.run(WEBHOOKS_DAG, url=live.address, may_move=True)[0] == "success"
        assert client.webhook_settings(live.organization_id).uri == "https://other.example.com/hook", "a preview"

        done, log = live.run(WEBHOOKS_DAG, url=live.address, may_move=True, dry_run=False)

        present = client.webhook_settings(live.organization_id)
    assert (done, present.uri, present.filter["stopListUpdateFilter"]) == ("success", live.address, {"updates": True})
    assert live.rows(passed_over) == []
    assert present.token
    assert present.token not in log
    guest = live.service.control.customers_page(live.organization_id, limit=2)[1]
    run = start_run(api, SIGNALS_DAG, {})
    order_id = live.put_order(customer_id=guest["customer_id"])
    seen = "select count(*) from syrve.customer where customer_id = %s"
    wait_until(lambda: live.rows(seen, guest["customer_id"]) == [(1,)], "the guest is in the mirror", 150)
    assert live.rows("select channel from sync.signal where order_id = %s", order_id) == [("webhook",)]
    api.call("PATCH", f"/dags/{SIGNALS_DAG}/dagRuns/{run.run_id}", "end the run", body={"state": "success"})
