"""A standby is promoted in the middle of a pull, a push and a payment: nothing is lost for good, no money moves twice."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg2
import pytest

from fixtures.pushes import Pushing
from fixtures.standbys import DATABASE, Pair, replicated_warehouse
from fixtures.waiting import wait_until
from fixtures.wallets import Purse, open_purse
from syrve.api.config import SyrveConfig
from syrve.hooks.fence import fence_of
from syrve.wallet.errors import LedgerFenced
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.errors import WarehouseError
from syrve_simulator.process import SimulatorProcess, start_simulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

GUESTS = 120


@pytest.fixture(scope="module")
def service() -> Iterator[SimulatorProcess]:
    with start_simulator(customers=400, seed=23) as process:
        yield process


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Pair]:
    monkeypatch.setenv("SYRVE_REPORTS_PATH", tmp_path.as_uri())  # the marks lie outside both servers
    with replicated_warehouse() as both:
        yield both


@pytest.fixture
def pushing(pair: Pair, service: SimulatorProcess) -> Pushing:
    service.control.reset_switches()
    return Pushing(service, warehouse_of(pair.primary.dsn(DATABASE)), config_of(service))


@pytest.fixture
def purse(pushing: Pushing) -> Iterator[Purse]:
    yield from open_purse(pushing.simulator, pushing.warehouse, pushing.config)


def warehouse_of(dsn: str) -> Warehouse:
    return Warehouse(url_from_text(dsn))


def config_of(service: SimulatorProcess) -> SyrveConfig:
    return SyrveConfig(base_url=service.url, api_login="demo-login")


def credit(purse: Purse, key: str) -> str:
    """Credit one bonus as the tasks do: the fence first, and with each call."""
    running = fence_of(purse.warehouse)
    running.check()
    planned = purse.ledger.plan(purse.operation("topup", "1.00", key=key))
    return str(purse.money(before_call=running.mark).execute(planned.operation_id).state)


def under_way(work: Callable[[], object]) -> threading.Thread:
    """Begin work that ends with its server."""

    def run() -> None:
        with suppress(WarehouseError, psycopg2.Error, LedgerFenced):
            work()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_promotion_without_the_tail_moves_no_money_twice(pair: Pair, pushing: Pushing, purse: Purse) -> None:
    guests = pushing.people(GUESTS)
    pushing.add(id=[each["customer_id"] for each in guests])
    desired_states = {
        each["customer_id"]: pushing.set_desired_of(each, email=f"guest{n}@example.com")
        for n, each in enumerate(guests[:20])
    }
    assert credit(purse, "K1") == "confirmed"
    pair.let_it_catch_up()
    pair.cut_off()
    assert credit(purse, "K2") == "confirmed"

    pushing.simulator.control.set_switches(latency_ms=40)
    pushing.settings = pushing.settings.__class__(batch_size=10)
    works = [under_way(pushing.pull), under_way(pushing.push)]
    wait_until(lambda: pushing.value("select count(*) from syrve.customer") >= 10)
    works.append(under_way(lambda: credit(purse, "K3")))
    wait_until(lambda: purse.received.get("wallet_topup") == 3)
    pair.fail_over()
    for work in works:
        work.join(120)
    pushing.simulator.control.reset_switches()

    pushing.warehouse = purse.warehouse = warehouse_of(pair.standby.dsn(DATABASE))
    assert pushing.value("select count(*) from syrve.customer") < GUESTS, "what was pulled meanwhile is lost"
    for key in ("K1", "K2", "K3"):
        with pytest.raises(LedgerFenced, match="restored or lost its end"):
            credit(purse, key)
    assert purse.received["wallet_topup"] == 3

    pushing.execute("update sync.roster set leased_until = null, due_at = now()")
    assert pushing.pull().failed == 0
    pushing.push()
    assert pushing.value("select count(*) from syrve.customer") == GUESTS
    sent = {each: pushing.in_syrve(each).email for each in desired_states}
    assert sent == {each: f"guest{n}@example.com" for n, each in enumerate(desired_states)}


def test_promotion_that_lost_nothing_still_asks_a_person(pair: Pair, purse: Purse) -> None:
    pair.follow_synchronously()
    assert [credit(purse, key) for key in ("K1", "K2")] == ["confirmed"] * 2
    (newest,) = purse.rows("select epoch_id::text from wallet.epoch order by number desc limit 1")
    pair.fail_over()
    purse.warehouse = warehouse_of(pair.standby.dsn(DATABASE))

    with pytest.raises(LedgerFenced, match=r"another server.*\(timeline\)"):
        credit(purse, "K2")

    assert purse.rows("select epoch_id::text from wallet.epoch order by number desc limit 1") == [newest]
    assert purse.rows("select * from wallet.restore_suspect") == []
    with purse.warehouse.transaction("lift") as cursor:
        cursor.execute(
            "insert into wallet.fence_lift (fence_id, reason) select fence_id, 'the mark is ours' from wallet.closed_fence"
        )
    assert [credit(purse, key) for key in ("K1", "K2", "K3")] == ["confirmed"] * 3
    assert purse.received["wallet_topup"] == 3
