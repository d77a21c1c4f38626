"""The network between a task and the warehouse is lost, for a minute and for longer: over a real link that is cut."""

import subprocess
import sys
import time
from collections.abc import Iterator
from threading import Thread

import pytest

from devstack.processes import wait_for
from fixtures.far_warehouse import FarServer, Link, far_server
from fixtures.pushes import Pushing
from fixtures.standbys import DATABASE, ask
from fixtures.waiting import wait_until
from syrve.api.config import SyrveConfig
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.errors import WarehouseUnavailable
from syrve_simulator.process import SimulatorProcess, start_simulator

pytestmark = pytest.mark.timeout(600)
GUESTS = 400
LEASES = "select count(*) from pg_locks where locktype = 'advisory'"
MINUTE_SECONDS, LONGER_SECONDS = 60, 200


@pytest.fixture(scope="module")
def service() -> Iterator[SimulatorProcess]:
    with start_simulator(customers=1000, seed=31) as process:
        yield process


@pytest.fixture(scope="module")
def far() -> Iterator[tuple[FarServer, Link]]:
    with far_server() as (server, link):
        yield server, link


@pytest.fixture
def link(far: tuple[FarServer, Link]) -> Link:
    return far[1]


@pytest.fixture
def pushing(far: tuple[FarServer, Link], service: SimulatorProcess) -> Iterator[Pushing]:
    server, _ = far
    server.create_database(DATABASE)
    migrate = [sys.executable, "-m", "syrve.warehouse", "migrate"]
    subprocess.run(migrate, env={"SYRVE_WAREHOUSE_DSN": server.dsn(DATABASE)}, check=True, capture_output=True)
    warehouse = Warehouse(url_from_text(server.far_dsn(DATABASE)))
    here = Pushing(service, warehouse, SyrveConfig(base_url=service.url, api_login="demo-login"))
    here.add(id=[each["customer_id"] for each in here.people(GUESTS)])
    service.control.set_switches(latency_ms=30)
    here.settings = here.settings.__class__(batch_size=20)
    yield here
    service.control.reset_switches()
    server.drop_database(DATABASE)


def pull_in_background(pushing: Pushing) -> tuple[Thread, list[BaseException | None]]:
    """Start a pull; the list gets how it ended."""
    ended: list[BaseException | None] = []

    def pull() -> None:
        try:
            pushing.pull()
            ended.append(None)
        except WarehouseUnavailable as error:
            ended.append(error)

    thread = Thread(target=pull)
    thread.start()
    wait_until(lambda: pushing.value("select count(*) from syrve.customer") >= 20)
    return thread, ended


def try_again(pushing: Pushing) -> None:
    """Pull once more, as Airflow's retry does, when the server has noticed that nobody is there any more."""
    began = time.monotonic()
    wait_for("The leases ending", lambda: pushing.value(LEASES) == 0, timeout_seconds=150)
    print(f"the leases of the lost session ended {time.monotonic() - began:.0f} s later")
    pushing.pull()


def test_pull_survives_a_minute_without_network(pushing: Pushing, link: Link) -> None:
    thread, ended = pull_in_background(pushing)
    link.cut()
    thread.join(MINUTE_SECONDS)
    link.mend()
    began = time.monotonic()
    thread.join(300)
    print(f"the pull ended {time.monotonic() - began:.0f} s after the network came back: {ended}")

    if ended[0] is not None:
        try_again(pushing)
    assert pushing.value("select count(*) from syrve.customer") == GUESTS


def test_longer_outage_is_told_in_words_and_loses_nothing(pushing: Pushing, link: Link) -> None:
    thread, ended = pull_in_background(pushing)
    link.cut()
    began = time.monotonic()
    thread.join(LONGER_SECONDS)
    waited_seconds = time.monotonic() - began
    link.mend()
    thread.join(300)

    assert isinstance(ended[0], WarehouseUnavailable)
    assert "no connection to the warehouse" in str(ended[0])
    print(f"the lost network was noticed after {waited_seconds:.0f} s")
    assert waited_seconds < LONGER_SECONDS
    try_again(pushing)
    assert pushing.value("select count(*) from syrve.customer") == GUESTS


def test_leases_of_a_lost_machine_end_by_themselves(pushing: Pushing, far: tuple[FarServer, Link]) -> None:
    server, link = far
    thread, _ = pull_in_background(pushing)
    link.cut()
    began = time.monotonic()
    try:
        wait_for("The leases ending", lambda: ask(server, LEASES) == (0,), timeout_seconds=200, poll_seconds=0.5)
    finally:
        print(f"the server gave up the lost machine after {time.monotonic() - began:.0f} s")
        link.mend()
        thread.join(300)
    assert pushing.pull().failed == 0
    assert pushing.value("select count(*) from syrve.customer") == GUESTS
