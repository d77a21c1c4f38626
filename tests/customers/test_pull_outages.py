"""Pulls through tokens that die, pauses longer than a call, and answers that are never JSON."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fixtures.pulls import IMPATIENT, Syncing
from syrve.api import protocol
from syrve.api.bulk import BulkLookup
from syrve.api.config import SyrveConfig
from syrve.api.errors import RateLimited
from syrve.api.protocol import UNREADABLE_DEADLINE_SECONDS
from syrve.customers.claims import PullScope
from syrve.customers.pull import CustomerPull, PullIncomplete
from syrve.customers.pull_settings import PullSettings
from syrve.warehouse.budget import CallBudget
from syrve.warehouse.database import Warehouse
from syrve.warehouse.runs import Counts
from syrve_simulator.control import RawAnswer
from syrve_simulator.process import SimulatorProcess, start_simulator

GUESTS = 1000
HALF_OF_ALL: list[dict[str, object]] = [
    {"operation": "*", "fault": "status", "status": 500, "probability": 0.16},
    {"operation": "*", "fault": "reset_before", "probability": 0.2},
    {"operation": "*", "fault": "rate_limit", "retry_after_seconds": 0, "probability": 0.25},
]
"""Rules that together strike half of the calls."""


@pytest.fixture(scope="module")
def crowded() -> Iterator[SimulatorProcess]:
    with start_simulator(customers=3 * GUESTS, seed=17) as process:
        yield process


@pytest.fixture
def syncing(crowded: SimulatorProcess, warehouse: Warehouse) -> Syncing:
    """Pulls of guests whom no test changes: the counts below are exact."""
    crowded.control.clear_faults()
    crowded.control.clear_raw_answers()
    crowded.control.reset_switches()
    crowded.control.reset_calls()
    return Syncing(crowded, warehouse, SyrveConfig(base_url=crowded.url, api_login="demo-login"))


@pytest.fixture
def crowd(syncing: Syncing) -> Syncing:
    syncing.settings = PullSettings(batch_size=200)
    syncing.add(id=[each["customer_id"] for each in syncing.customers(GUESTS)])
    return syncing


def received(syncing: Syncing, operation: str = "customer_info") -> int:
    calls = syncing.simulator.control.calls()["operations"]
    return calls[operation]["received"] if operation in calls else 0


def test_half_of_the_calls_fail_while_tokens_live_five_seconds(crowd: Syncing) -> None:
    crowd.simulator.control.set_switches(token_lifetime_seconds=5, latency_ms=100)
    crowd.simulator.control.set_faults(HALF_OF_ALL)
    started = time.monotonic()

    counts = crowd.pull()

    assert (counts.found, counts.failed) == (GUESTS, 0)
    assert counts.retries > GUESTS / 2
    assert time.monotonic() - started > 5, "else no token grew old"
    issued = crowd.simulator.control.calls()["operations"]["access_token"]["statuses"]["200"]
    assert 2 <= issued <= 2 + (time.monotonic() - started)


def test_three_tasks_displace_tokens_of_one_login_and_all_finish(crowd: Syncing) -> None:
    crowd.simulator.control.set_switches(new_token_voids_former=True, latency_ms=20)
    ends: list[Counts | BaseException] = []

    def pull(number: int) -> None:
        with BulkLookup(crowd.config, backoff=IMPATIENT) as bulk:
            job = CustomerPull(
                crowd.warehouse,
                bulk,
                key=crowd.key(f"pull-{number}"),
                region="RU",
                settings=PullSettings(batch_size=100),
            )
            try:
                ends.append(job.run(PullScope(crowd.organization_id)))
            except BaseException as problem:  # noqa: BLE001 - the test shows it
                ends.append(problem)

    tasks = [threading.Thread(target=pull, args=(number,)) for number in range(3)]
    started = time.monotonic()
    for task in tasks:
        task.start()
    for task in tasks:
        task.join(120)
    seconds = time.monotonic() - started

    assert [each for each in ends if not isinstance(each, Counts)] == []
    assert sum(each.found for each in ends if isinstance(each, Counts)) == GUESTS
    assert 3 <= received(crowd, "access_token") <= 3 * (4 + 2 * seconds)


@pytest.mark.parametrize(("wait_seconds", "deadline_seconds"), [(60, 1.0), (300, 120.0)])
def test_long_wait_that_syrve_asks_for_pauses_everybody(
    crowd: Syncing, wait_seconds: int, deadline_seconds: float
) -> None:
    rule = {"operation": "customer_info", "fault": "rate_limit", "retry_after_seconds": wait_seconds, "after": 100}
    crowd.simulator.control.set_faults([rule])
    config = replace(crowd.config, call_deadline_seconds=deadline_seconds)
    started = time.monotonic()
    with (
        CallBudget(crowd.warehouse, account="a", per_minute={"customer": 60_000}, bulk=True) as budget,
        BulkLookup(config, permits=budget) as bulk,
    ):
        for _ in range(2):
            job = CustomerPull(crowd.warehouse, bulk, key=crowd.key("pull"), region="RU", settings=crowd.settings)
            with pytest.raises(RateLimited) as caught:
                job.run(PullScope(crowd.organization_id))
            assert wait_seconds - 20 < (caught.value.wait_seconds or 0) <= wait_seconds

    assert time.monotonic() - started < 20
    assert received(crowd) <= 100 + config.max_concurrency
    assert crowd.value("select paused_until > now() + interval '30 seconds' from sync.call_budget")
    assert crowd.value("select count(*) from syrve.customer") == 100, "what was answered before the pause has landed"
    assert crowd.value("select count(*) from sync.roster where outcome = 'failed'") == 0


def test_answers_that_are_never_json_hold_nobody_up(syncing: Syncing) -> None:
    guests = syncing.customers(60)
    syncing.add(id=[each["customer_id"] for each in guests])
    odd = [
        RawAnswer(syncing.organization_id, each["customer_id"], b"<html>", 200, "customer_info") for each in guests[:3]
    ]
    syncing.simulator.control.put_raw_answers(odd)
    started = time.monotonic()

    with BulkLookup(syncing.config) as bulk:
        job = CustomerPull(syncing.warehouse, bulk, key=syncing.key("pull"), region="RU", settings=syncing.settings)
        with pytest.raises(PullIncomplete, match="3 of 60"):
            job.run(PullScope(syncing.organization_id))

    assert syncing.value("select count(*) from syrve.customer") == 57
    assert time.monotonic() - started < 3 * UNREADABLE_DEADLINE_SECONDS


def test_answers_that_are_500_for_ever_hold_nobody_up(syncing: Syncing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "ALONE_DEADLINE_SECONDS", 0.5)
    guests = syncing.customers(60)
    syncing.add(id=[each["customer_id"] for each in guests])
    odd = [RawAnswer(syncing.organization_id, each["customer_id"], b"{}", 500, "customer_info") for each in guests[:3]]
    syncing.simulator.control.put_raw_answers(odd)
    started = time.monotonic()

    with pytest.raises(PullIncomplete, match="3 of 60"):
        syncing.pull()

    assert syncing.value("select count(*) from syrve.customer") == 57
    assert time.monotonic() - started < syncing.config.call_deadline_seconds / 4, "three rounds, each ended soon"
    assert syncing.rows("select outcome, count(*) from sync.roster group by 1 order by 1") == [
        ("failed", 3),
        ("found", 57),
    ]
    syncing.simulator.control.clear_raw_answers()
    syncing.make_due()
    assert syncing.pull().failed == 0, "they are looked up again, later"
