"""Days of operations of ours at a service that lies or repeats calls: the rules about it find each, and nothing else (dialect `cloud`).

What has to be found is recorded when it happens (`lies`), by what the simulator was made to do, never by our ledger; a failure prints the
seed.
"""

import heapq
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

import psycopg2
import pytest

from findings.lies import MOVED_TWICE, NOT_SHOWN, LiedTo
from findings.simulation import BEGIN, PLENTY
from findings.simulator_server import SimulatorServer, found, servers_in_process, work_out
from findings.virtual_time import KeptConnections, VirtualTime, virtual_warehouse
from findings.world import FIRST_SEED, World
from syrve.findings.rules import all_rules
from syrve.wallet.look_again import LookAgain
from syrve.wallet.transactions import TransactionsImport
from syrve.warehouse.database import Warehouse
from syrve.warehouse.runs import TaskKey

SEEDS, WALLETS, DAYS = 8, 30, 18
LOOKS = [BEGIN + timedelta(hours=hours) for hours in range(12, DAYS * 24, 12)]
MOMENTS = [BEGIN + timedelta(days=days, hours=6) for days in (1, 2, 4, 7, DAYS)]


@pytest.fixture
def time(emptied_warehouse_dsn: str) -> Iterator[VirtualTime]:
    time = VirtualTime(emptied_warehouse_dsn)
    clock = "alter table wallet.operation_look alter looked_at set default {}clock_timestamp()"
    connection = psycopg2.connect(emptied_warehouse_dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(clock.format("virtual."))
        yield time
        cursor.execute(clock.format("pg_catalog."))
    connection.close()
    time.close()


@pytest.fixture
def kept_connections(emptied_warehouse_dsn: str, time: VirtualTime) -> Iterator[KeptConnections]:
    warehouse = KeptConnections(virtual_warehouse(emptied_warehouse_dsn).url)
    yield warehouse
    warehouse.close()


def switches(rng: Random) -> dict[str, Any]:
    """Some setting of what the report shows, and when."""
    return {
        "balance_shows_held_money": rng.random() < 0.3,
        "repeated_hold_id": rng.choice(["error", "same_answer", "second_hold", "second_hold"]),
        "hold_transaction_type": rng.choice([36, 8]),
        "hold_id_is_transaction_id": rng.random() < 0.5,
        "transaction_sums": rng.choice(["signed", "absolute"]),
        "transactions_order": rng.choice(["ascending", "descending", "none"]),
        "transaction_delay_seconds": rng.choice([0, 3600.0]),
    }


def play(seed: int, time: VirtualTime, warehouse: Warehouse) -> tuple[SimulatorServer, World, list[LiedTo]]:
    """Let everything happen, and look at the report as `syrve_wallet_import` does, twice a day."""
    rng = Random(seed)
    _, server = servers_in_process(seed)
    world = server.simulation(seed, rng, time, warehouse).world
    world.switches = switches(rng)
    world.control.set_switches(**world.switches)
    with time.beginning_at(BEGIN):
        wallets = [LiedTo(world, LOOKS, world.purse(PLENTY)) for _ in range(WALLETS)]
        events: list[tuple[datetime, int, Iterator[float]]] = [
            *((BEGIN, place, wallet.run()) for place, wallet in enumerate(wallets)),
            *((look, WALLETS, looking(world)) for look in LOOKS),
        ]
        heapq.heapify(events)
        while events:
            moment, place, actor = heapq.heappop(events)
            time.move_to(moment)
            for seconds in actor:
                heapq.heappush(events, (time.now + timedelta(seconds=seconds), place, actor))
                break
    return server, world, wallets


def looking(world: World) -> Iterator[float]:
    """Read the report of customers with open holds, and look again at what was sent."""
    world.time.show_database()
    with world.client() as client:
        run = f"run-{world.now:%d-%H}"
        for job in (
            TransactionsImport(world.warehouse, client, key=TaskKey(run, "report")),
            LookAgain(world.warehouse, client, key=TaskKey(run, "again")),
        ):
            job.run([world.organization_id], customers=1000)
    yield from ()


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_each_lie_and_each_second_movement_is_found(
    seed: int, time: VirtualTime, kept_connections: Warehouse, emptied_warehouse_dsn: str
) -> None:
    server, world, wallets = play(seed, time, kept_connections)
    warehouse = virtual_warehouse(emptied_warehouse_dsn)
    rules = [each for each in all_rules() if each.name in (NOT_SHOWN, MOVED_TWICE)]

    work_out([server], warehouse, MOMENTS, "lies", rules=rules)

    labels = [label for wallet in wallets for label in wallet.labels()]
    for moment in MOMENTS:
        wanted = Counter(label.flag for label in labels if label.holds(moment))
        got = Counter(found(warehouse, server.organization_id, moment))
        problems = [f"missed   {flag}" for flag in (wanted - got).elements()]
        problems += [f"invented {flag}" for flag in (got - wanted).elements()]
        assert not problems, "\n".join([f"seed {seed} ({world.switches}), as of {moment}:", *problems])
    rules_found = Counter(label.flag.rule for label in labels)
    assert min(rules_found[NOT_SHOWN], rules_found[MOVED_TWICE]) > 0, "each seed gives both rules something to find"
    assert any(label.until for label in labels), "and shows something later"
