"""A warehouse that is far away, or on a slow disk: everything takes longer, and nothing is lost or done twice."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.postgres import PORT, SOCKET_FILE, SUPERUSER, PostgresServer
from fixtures.payments import CHARGE, pay
from fixtures.pushes import Pushing
from fixtures.slow_link import slow_link
from fixtures.standbys import DATABASE, Pair, replicated_warehouse
from fixtures.wallets import Purse, open_purse
from syrve.api.config import SyrveConfig
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.migrate import migrate
from syrve_simulator.process import SimulatorProcess, start_simulator

pytestmark = pytest.mark.timeout(900)
GUESTS, CHANGED = 100, 5
DELAY_SECONDS = 0.05


@pytest.fixture(scope="module")
def service() -> Iterator[SimulatorProcess]:
    with start_simulator(customers=1000, seed=43) as process:
        yield process


@pytest.fixture
def pair() -> Iterator[Pair]:
    with replicated_warehouse() as both:
        yield both


def on(service: SimulatorProcess, url: str) -> Pushing:
    service.control.reset_calls()
    return Pushing(service, Warehouse(url_from_text(url)), SyrveConfig(base_url=service.url, api_login="demo-login"))


@pytest.fixture
def far(pair: Pair, service: SimulatorProcess) -> Iterator[Pushing]:
    """A warehouse that every word reaches a twentieth of a second later, and so does every answer."""
    with tempfile.TemporaryDirectory(prefix="syrve-slow-") as folder:
        server = pair.primary.socket_directory / SOCKET_FILE
        with slow_link(Path(folder), server, DELAY_SECONDS):
            yield on(service, f"postgresql://{SUPERUSER}@/{DATABASE}?host={folder}&port={PORT}")


def purse_of(pushing: Pushing) -> Iterator[Purse]:
    return open_purse(pushing.simulator, pushing.warehouse, pushing.config)


def work(pushing: Pushing) -> float:
    """Pull, push and pay, compare both sides; returns the seconds that it took."""
    began = time.monotonic()
    guests = pushing.people(GUESTS)
    pushing.add(id=[each["customer_id"] for each in guests])
    assert pushing.pull(batch_size=100).failed == 0
    assert pushing.value("select count(*) from syrve.customer") == GUESTS
    for number, guest in enumerate(guests[:CHANGED]):
        pushing.set_desired_of(guest, email=f"guest{number}@example.com")
    pushing.simulator.control.reset_calls()
    pushing.push()
    calls = pushing.simulator.control.calls()["operations"]
    assert calls["create_or_update"]["received"] == CHANGED
    for purse in purse_of(pushing):
        before = purse.balance
        assert purse.do("topup", "7.00").state == "confirmed"
        pay(purse, CHARGE)
        assert purse.balance == before + 7 - 30
        assert purse.received["wallet_topup"] == 1
        assert purse.received["wallet_chargeoff"] == 1
    return time.monotonic() - began


def test_far_warehouse_is_slow_and_nothing_else(far: Pushing) -> None:
    print(f"{GUESTS} pulled, {CHANGED} pushed, a top-up and a payment, 100 ms away and back: {work(far):.0f} s")


@pytest.fixture
def slow_disk(tmp_path_factory: pytest.TempPathFactory, service: SimulatorProcess) -> Iterator[Pushing]:
    """A warehouse whose disk takes a tenth of a second for each commit: Postgres waits so long before it writes one."""
    home = tmp_path_factory.mktemp("slow-disk")
    server = PostgresServer(home / "postgres", home / "postgres.log", durable=True)
    server.start()
    try:
        server.create_database(DATABASE)
        migrate(url_from_text(server.dsn(DATABASE)))
        warehouse = Warehouse(url_from_text(server.dsn(DATABASE)))
        with warehouse.connect() as connection, connection.cursor() as cursor:
            connection.autocommit = True
            for setting in ("commit_delay = 100000", "commit_siblings = 0"):
                cursor.execute(f"alter system set {setting}")
            cursor.execute("select pg_reload_conf()")
        yield on(service, server.dsn(DATABASE))
    finally:
        server.stop(grace_seconds=10)
        server.remove()


def test_slow_disk_is_slow_and_nothing_else(slow_disk: Pushing) -> None:
    began = time.monotonic()
    for _ in range(5):
        with slow_disk.warehouse.transaction("test") as cursor:
            cursor.execute("create table slow (id integer); drop table slow")
    assert time.monotonic() - began > 0.5, "each commit waits for the disk"

    print(f"{GUESTS} pulled, {CHANGED} pushed, a top-up and a payment on the slow disk: {work(slow_disk):.0f} s")
