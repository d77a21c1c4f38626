"""Months of payments by a faulty order service against the simulator: what is left dangling is flagged, and nothing else is.

What is expected comes from the simulator's own book, never from our ledger (`expected`); a failure prints the seed. `simulation` says
what happens, `simulator_server` how it is compared. In-process seeds differ from served ones in the socket alone; both go through our
client, ledger, payment and import.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random

import pytest

from findings.expected import NOT_PLAYED, RULES, expected
from findings.service import Service
from findings.simulation import BEGIN, MOMENTS, PLENTY, Simulation
from findings.simulator_server import (
    LIMITS,
    SimulatorServer,
    blind,
    differences,
    end_simulations,
    found,
    import_records,
    read_report,
    servers_in_process,
    servers_over_http,
    work_out,
)
from findings.virtual_time import KeptConnections, VirtualTime, virtual_warehouse
from findings.world import FIRST_SEED
from syrve.findings.rules import all_rules
from syrve.warehouse.database import Warehouse

SEEDS, BATCH = 300, 50
SERVED_SEEDS, SERVED_BATCH = 24, 12
SERVED_PATIENCE_SECONDS = 2.0
PAYMENT_TYPE = 8


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


@pytest.fixture
def warehouse(emptied_warehouse_dsn: str, time: VirtualTime) -> Warehouse:
    return virtual_warehouse(emptied_warehouse_dsn)


@pytest.fixture(scope="module")
def served_over_http() -> Iterator[list[SimulatorServer]]:
    with servers_over_http(SEEDS) as servers:
        yield servers


def play(
    seeds: Sequence[int], servers: Sequence[SimulatorServer], time: VirtualTime, warehouse: Warehouse
) -> list[Simulation]:
    """Play seeds in this process, one after another, each from the first day on."""
    simulations = []
    for seed in seeds:
        rng = Random(seed)
        simulation = rng.choice(servers).simulation(seed, rng, time, warehouse)
        with time.beginning_at(BEGIN):
            simulation.play(own_payments=1, orders=7)
        simulations.append(simulation)
    return simulations


def judge(simulations: Sequence[Simulation], servers: Sequence[SimulatorServer], warehouse: Warehouse) -> None:
    """Import and reconcile, once more when the rest arrived late, and compare as of each moment."""
    end_simulations(simulations, servers, warehouse)
    import_records(simulations, "records", warehouse)
    work_out(servers, warehouse, MOMENTS[2:4], "in time")
    import_records(simulations, "late", warehouse)
    work_out(servers, warehouse, MOMENTS, "late")

    for simulation in simulations:
        assert simulation.book is not None
        sent = simulation.book.own_money_calls()
        assert max(sent.values(), default=0) <= 1, f"seed {simulation.world.seed}: a money call was sent twice: {sent}"
    problems = differences(simulations, servers, warehouse)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + SEEDS, BATCH))
def test_every_dangling_hold_is_flagged_and_nothing_else(
    first: int, time: VirtualTime, kept_connections: Warehouse, warehouse: Warehouse
) -> None:
    servers = servers_in_process(first)

    simulations = play(range(first, first + BATCH), servers, time, kept_connections)

    judge(simulations, servers, warehouse)
    wanted = Counter(
        flag.rule for each in simulations for day in MOMENTS for flag in expected(each.world.history, LIMITS, day)
    )
    assert set(wanted) == set(RULES), "these seeds give every rule something to find"


@pytest.mark.parametrize("first", range(FIRST_SEED + SEEDS, FIRST_SEED + SEEDS + SERVED_SEEDS, SERVED_BATCH))
def test_every_dangling_hold_is_flagged_over_real_http_and_connections_too(
    first: int, time: VirtualTime, warehouse: Warehouse, served_over_http: list[SimulatorServer]
) -> None:
    for server in served_over_http:
        server.control.reset_calls()
        server.looks.clear()
    simulations = []
    for seed in range(first, first + SERVED_BATCH):
        rng = Random(seed)
        simulation = rng.choice(served_over_http).simulation(seed, rng, time, warehouse)
        simulation.world.patience_seconds, simulation.world.stalls = SERVED_PATIENCE_SECONDS, seed % 6 == 0
        time.control = simulation.world.control
        with time.beginning_at(BEGIN):
            simulation.play(own_payments=2, orders=5)
        simulation.world.close()
        simulations.append(simulation)

    judge(simulations, served_over_http, warehouse)


@pytest.mark.parametrize("first", [FIRST_SEED + 1000])
def test_what_syrve_reports_is_believed_and_closes_what_it_explains(
    first: int, time: VirtualTime, kept_connections: Warehouse, warehouse: Warehouse
) -> None:
    _, cloud = servers_in_process(first)
    simulations = []
    for seed in range(first, first + BATCH):
        simulation = cloud.simulation(seed, Random(seed), time, kept_connections)
        if simulation.world.switches["hold_transaction_type"] == PAYMENT_TYPE:
            simulation.world.switches["hold_transaction_type"] = (
                36  # who pays at a till and who holds could not be told apart
            )
        with time.beginning_at(BEGIN):
            simulation.play(own_payments=1, orders=7)
        simulations.append(simulation)
    read_report(cloud, time, warehouse)  # of our own payments so far
    end_simulations(simulations, [cloud], warehouse)
    for part in ("records", "late"):
        import_records(simulations, part, warehouse)
    work_out([cloud], warehouse, MOMENTS[-2:], "told")

    read_report(cloud, time, warehouse)
    work_out([cloud], warehouse, MOMENTS, "reported")

    for simulation in simulations:
        simulation.hear_report()
    problems = differences(simulations, [cloud], warehouse)
    assert not problems, "\n".join(problems)


def test_simulation_notices_each_rule_that_is_blind(
    time: VirtualTime, kept_connections: Warehouse, warehouse: Warehouse
) -> None:
    servers = servers_in_process(0)
    simulations = play(range(40), servers, time, kept_connections)
    end_simulations(simulations, servers, warehouse)
    for part in ("records", "late"):
        import_records(simulations, part, warehouse)
    wanted = Counter(
        flag.rule for each in simulations for day in MOMENTS for flag in expected(each.world.history, LIMITS, day)
    )
    assert set(wanted) | NOT_PLAYED == {rule.name for rule in all_rules()}

    work_out(servers, warehouse, MOMENTS, "blind", rules=blind(*wanted))

    problems = "\n".join(differences(simulations, servers, warehouse))
    missed = {rule: problems.count(f"missed   Flag(rule='{rule}'") for rule in wanted}
    assert missed == wanted, "each rule finds by itself, so each that is blind is noticed by what it should have found"
    assert "invented" not in problems
    assert "and no finding says so" in problems, "conservation is checked too"


def test_expectation_and_product_have_the_same_rules() -> None:
    assert set(RULES) | NOT_PLAYED == {rule.name for rule in all_rules()}


@pytest.mark.parametrize("dialect", [0, 1], ids=["reference", "cloud"])
def test_payment_flow_of_the_reference_document_run_by_a_third_party_is_caught_as_charged_hold_open(
    dialect: int, time: VirtualTime, warehouse: Warehouse, served_over_http: list[SimulatorServer]
) -> None:
    """Hold, process the order, charge off the same sum: all three answered, and the guest's money is still set aside."""
    server = served_over_http[dialect]
    simulation = server.simulation(dialect, Random(dialect), time, warehouse)
    world, time.control = simulation.world, server.control
    with time.beginning_at(BEGIN):
        server.control.reset_switches()
        service = Service(world, fault_probability=0)
        order = service.order(world.purse(PLENTY))
        for seconds in service.pay_with_wallet(order, succeeds=True):
            time.advance(seconds)
        charged_at = time.now
    import_records([simulation], "records", warehouse)
    import_records([simulation], "late", warehouse)

    work_out([server], warehouse, [charged_at + timedelta(minutes=10), charged_at + timedelta(days=1)], "late")

    (hold,) = server.control.holds(customer_id=order.purse.customer_id)
    assert hold["state"] == "open"
    assert found(warehouse, server.organization_id, charged_at + timedelta(minutes=10)) == []
    (flag,) = found(warehouse, server.organization_id, charged_at + timedelta(days=1))
    assert (flag.rule, flag.about, flag.amount) == ("charged_hold_open", hold["transaction_id"], order.amount)
    world.close()
