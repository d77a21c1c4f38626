"""The network between a task and the warehouse is lost, for a minute and for longer: over a real link that is cut."""

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from devstack.postgres import SUPERUSER, PostgresServer
from fixtures.far_warehouse import FAR, PORT, Link, network_before
from fixtures.pushes import Pushing
from fixtures.standbys import DATABASE
from fixtures.waiting import wait_until
from syrve.api.config import SyrveConfig
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.errors import WarehouseUnavailable
from syrve_simulator.process import SimulatorProcess, start_simulator

pytestmark = pytest.mark.timeout(600)
GUESTS = 400
MINUTE_SECONDS, LONGER_SECONDS = 60, 200


@pytest.fixture(scope="module")
def service() -> Iterator[SimulatorProcess]:
    with start_simulator(customers=1000, seed=31) as process:
        yield process


@pytest.fixture
def link(postgres_server: PostgresServer) -> Iterator[Link]:
    with network_before(str(Path(postgres_server.socket_directory) / ".s.PGSQL.5432")) as link:
        yield link


@pytest.fixture
def pushing(
    postgres_server: PostgresServer, warehouse_template: str, service: SimulatorProcess, link: Link
) -> Iterator[Pushing]:
    postgres_server.create_database(DATABASE, template=warehouse_template)
    far = Warehouse(url_from_text(f"postgresql://{SUPERUSER}@{FAR}:{PORT}/{DATABASE}"))
    here = Pushing(service, far, SyrveConfig(base_url=service.url, api_login="demo-login"))
    here.add(id=[each["customer_id"] for each in here.people(GUESTS)])
    service.control.set_switches(latency_ms=30)
    here.settings = here.settings.__class__(batch_size=20)
    yield here
    service.control.reset_switches()
    postgres_server.drop_database(DATABASE)


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


def test_pull_survives_a_minute_without_network(pushing: Pushing, link: Link) -> None:
    thread, ended = pull_in_background(pushing)
    link.cut()
    time.sleep(MINUTE_SECONDS)
    link.mend()
    began = time.monotonic()
    thread.join(300)
    print(f"the pull ended {time.monotonic() - began:.0f} s after the network came back: {ended}")

    if ended[0] is not None:  # Airflow retries it
        pushing.execute("update sync.roster set leased_until = null")
        pushing.pull()
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
    pushing.pull()
    assert pushing.value("select count(*) from syrve.customer") == GUESTS
