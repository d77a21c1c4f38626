"""Months of payments by a faulty order service against the simulator: what is left dangling is flagged, and nothing else is.

The truth is the simulator's own book, never our ledger (`truth`); a failure prints the seed. `season` says what happens, `stage` how it is
compared. In-process seeds differ from served ones in the socket alone; both go through our client, ledger, payment and import.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random

import pytest

from findings.season import BEGIN, MOMENTS, PLENTY, Season
from findings.service import Service
from findings.stage import (
    LIMITS,
    Stage,
    blind,
    differences,
    end_seasons,
    found,
    import_records,
    read_report,
    stages_over_http,
    stages_without_a_socket,
    work_out,
)
from findings.truth import NOT_PLAYED, RULES, expected
from findings.virtual_time import KeptConnections, VirtualTime, virtual_warehouse
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
def served_stages() -> Iterator[list[Stage]]:
    with stages_over_http(SEEDS) as stages:
        yield stages


def play(seeds: Sequence[int], stages: Sequence[Stage], time: VirtualTime, warehouse: Warehouse) -> list[Season]:
    """Play seeds in this process, one after another, each from the first day on."""
    seasons = []
    for seed in seeds:
        rng = Random(seed)
        season = rng.choice(stages).season(seed, rng, time, warehouse)
        with time.beginning_at(BEGIN):
            season.play(own_payments=1, orders=7)
        seasons.append(season)
    return seasons


def judge(seasons: Sequence[Season], stages: Sequence[Stage], warehouse: Warehouse) -> None:
    """Import and reconcile, once more when the rest arrived late, and compare as of each moment."""
    end_seasons(seasons, stages, warehouse)
    import_records(seasons, "records", warehouse)
    work_out(stages, warehouse, MOMENTS[2:4], "in time")
    import_records(seasons, "late", warehouse)
    work_out(stages, warehouse, MOMENTS, "late")

    for season in seasons:
        assert season.book is not None
        sent = season.book.own_money_calls()
        assert max(sent.values(), default=0) <= 1, f"seed {season.ground.seed}: a money call was sent twice: {sent}"
    problems = differences(seasons, stages, warehouse)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_every_dangling_hold_is_flagged_and_nothing_else(
    first: int, time: VirtualTime, kept_connections: Warehouse, warehouse: Warehouse
) -> None:
    stages = stages_without_a_socket(first)

    seasons = play(range(first, first + BATCH), stages, time, kept_connections)

    judge(seasons, stages, warehouse)
    wanted = Counter(
        flag.rule for each in seasons for day in MOMENTS for flag in expected(each.ground.story, LIMITS, day)
    )
    assert set(wanted) == set(RULES), "these seeds give every rule something to find"


@pytest.mark.parametrize("first", range(SEEDS, SEEDS + SERVED_SEEDS, SERVED_BATCH))
def test_every_dangling_hold_is_flagged_over_real_http_and_connections_too(
    first: int, time: VirtualTime, warehouse: Warehouse, served_stages: list[Stage]
) -> None:
    for stage in served_stages:
        stage.control.reset_calls()
        stage.looks.clear()
    seasons = []
    for seed in range(first, first + SERVED_BATCH):
        rng = Random(seed)
        season = rng.choice(served_stages).season(seed, rng, time, warehouse)
        season.ground.patience_seconds, season.ground.stalls = SERVED_PATIENCE_SECONDS, seed % 6 == 0
        time.control = season.ground.control
        with time.beginning_at(BEGIN):
            season.play(own_payments=2, orders=5)
        season.ground.close()
        seasons.append(season)

    judge(seasons, served_stages, warehouse)


@pytest.mark.parametrize("first", [1000])
def test_what_syrve_reports_is_believed_and_closes_what_it_explains(
    first: int, time: VirtualTime, kept_connections: Warehouse, warehouse: Warehouse
) -> None:
    _, cloud = stages_without_a_socket(first)
    seasons = []
    for seed in range(first, first + BATCH):
        season = cloud.season(seed, Random(seed), time, kept_connections)
        if season.ground.switches["hold_transaction_type"] == PAYMENT_TYPE:
            season.ground.switches["hold_transaction_type"] = (
                36  # who pays at a till and who holds could not be told apart
            )
        with time.beginning_at(BEGIN):
            season.play(own_payments=1, orders=7)
        seasons.append(season)
    read_report(cloud, time, warehouse)  # of our own payments so far
    end_seasons(seasons, [cloud], warehouse)
    for part in ("records", "late"):
        import_records(seasons, part, warehouse)
    work_out([cloud], warehouse, MOMENTS[-2:], "told")

    read_report(cloud, time, warehouse)
    work_out([cloud], warehouse, MOMENTS, "reported")

    for season in seasons:
        season.hear_report()
    problems = differences(seasons, [cloud], warehouse)
    assert not problems, "\n".join(problems)


def test_simulation_notices_each_rule_that_is_blind(
    time: VirtualTime, kept_connections: Warehouse, warehouse: Warehouse
) -> None:
    stages = stages_without_a_socket(0)
    seasons = play(range(40), stages, time, kept_connections)
    end_seasons(seasons, stages, warehouse)
    for part in ("records", "late"):
        import_records(seasons, part, warehouse)
    wanted = Counter(
        flag.rule for each in seasons for day in MOMENTS for flag in expected(each.ground.story, LIMITS, day)
    )
    assert set(wanted) | NOT_PLAYED == {rule.name for rule in all_rules()}

    work_out(stages, warehouse, MOMENTS, "blind", rules=blind(*wanted))

    problems = "\n".join(differences(seasons, stages, warehouse))
    missed = {rule: problems.count(f"missed   Flag(rule='{rule}'") for rule in wanted}
    assert missed == wanted, "each rule finds by itself, so each that is blind is noticed by what it should have found"
    assert "invented" not in problems
    assert "and no finding says so" in problems, "conservation is checked too"


def test_truth_and_product_have_the_same_rules() -> None:
    assert set(RULES) | NOT_PLAYED == {rule.name for rule in all_rules()}


@pytest.mark.parametrize("dialect", [0, 1], ids=["reference", "cloud"])
def test_payment_flow_of_the_reference_document_run_by_a_third_party_is_caught_as_charged_hold_open(
    dialect: int, time: VirtualTime, warehouse: Warehouse, served_stages: list[Stage]
) -> None:
    """Hold, process the order, charge off the same sum: all three answered, and the guest's money is still set aside."""
    stage = served_stages[dialect]
    season = stage.season(dialect, Random(dialect), time, warehouse)
    ground, time.control = season.ground, stage.control
    with time.beginning_at(BEGIN):
        stage.control.reset_switches()
        service = Service(ground, fault_probability=0)
        order = service.order(ground.purse(PLENTY))
        for seconds in service.pay_with_wallet(order, succeeds=True):
            time.advance(seconds)
        charged_at = time.now
    import_records([season], "records", warehouse)
    import_records([season], "late", warehouse)

    work_out([stage], warehouse, [charged_at + timedelta(minutes=10), charged_at + timedelta(days=1)], "late")

    (hold,) = stage.control.holds(customer_id=order.purse.customer_id)
    assert hold["state"] == "open"
    assert found(warehouse, stage.organization_id, charged_at + timedelta(minutes=10)) == []
    (flag,) = found(warehouse, stage.organization_id, charged_at + timedelta(days=1))
    assert (flag.rule, flag.about, flag.amount) == ("charged_hold_open", hold["transaction_id"], order.amount)
    ground.close()
