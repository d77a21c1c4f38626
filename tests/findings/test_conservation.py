"""For every order, what was taken from the guest is the order's amount or nothing: never more, and never less without a finding.

Judged by the simulator's own book, under everything that others may do while it is paid. `test_simulation` checks what each rule says.
"""

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from findings.book import read_book
from findings.hard_orders import hard_order
from findings.simulation import BEGIN, MOMENTS, bring_in
from findings.simulator_server import found, servers_in_process, work_out
from findings.virtual_time import KeptConnections, VirtualTime, virtual_warehouse
from findings.world import FIRST_SEED
from syrve.warehouse.database import Warehouse

SEEDS, BATCH, ORDERS = 300, 50, 3


@pytest.fixture
def time(emptied_warehouse_dsn: str) -> Iterator[VirtualTime]:
    time = VirtualTime(emptied_warehouse_dsn)
    yield time
    time.close()


@pytest.fixture
def kept_connections(emptied_warehouse_dsn: str, time: VirtualTime) -> Iterator[KeptConnections]:
    warehouse = KeptConnections(virtual_warehouse(emptied_warehouse_dsn).url)
    yield warehouse
    warehouse.close()


def orders_of_findings(warehouse: Warehouse) -> set[str]:
    """The orders that open findings speak of: one about a guest of a split bill is one about the bill."""
    with warehouse.transaction("test") as cursor:
        cursor.execute("select distinct evidence ->> 'order_id' from wallet.finding where status = 'open'")
        return {order_id for (order_id,) in cursor.fetchall() if order_id is not None}


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + SEEDS, BATCH))
def test_no_order_takes_more_or_less_unseen(first: int, time: VirtualTime, kept_connections: Warehouse) -> None:
    servers = servers_in_process(first, organizations=2)
    simulations, orders = [], []
    for seed in range(first, first + BATCH):
        rng = Random(seed)
        simulation = rng.choice(servers).simulation(seed, rng, time, kept_connections)
        world = simulation.world
        with time.beginning_at(BEGIN):
            world.control.set_switches(**world.switches, one_loyalty_network=True)
            for number in range(ORDERS):
                order = hard_order(world, number)
                for seconds in order.play(world):
                    time.advance(seconds)
                orders.append((simulation, order))
                time.advance(86400.0)
        simulations.append(simulation)
    books = {server.organization_id: read_book(server.control, server.organization_id) for server in servers}
    rows = [row for simulation in simulations for row in (*simulation.world.records, *simulation.world.late)]
    bring_in(kept_connections, "records", rows, Random(first))
    work_out(servers, kept_connections, MOMENTS[-1:], "last")

    flags = [flag for server in servers for flag in found(kept_connections, server.organization_id, MOMENTS[-1])]
    flagged = {flag.customer_id for flag in flags} | orders_of_findings(kept_connections)
    problems = [
        f"seed {simulation.world.seed} ({simulation.world.dialect}): {problem}"
        for simulation, order in orders
        for problem in order.problems(books[simulation.world.organization_id], flagged)
    ]
    assert not problems, "\n".join(problems)
    sent = sum((book.own_money_calls() for book in books.values()), Counter())
    sent -= Counter(
        f"wallet_cancel_hold {hold_id}"
        for _, order in orders
        for payment in order.payments
        for hold_id in payment.cancelled_by_others
    )
    twice = {name: count for name, count in sent.items() if count > 1}
    assert not twice, f"a money call was sent twice: {twice}"
    assert {order.kind for _, order in orders} == {"single", "split", "retried"}
