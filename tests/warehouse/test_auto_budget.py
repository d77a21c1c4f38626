"""A budget that finds what Syrve allows, under a clock turned by hand: how fast, how well it holds, what it does when the limit moves."""

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from benchmarks.replay import CLOCK

from syrve.warehouse.budget import CallBudget
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve_simulator.faults import Allowance

MINUTE = 60.0
CAP = 2_000
START = 100


@dataclass
class Service:
    """The simulator's allowance on virtual time, with answers that take `latency_seconds`."""

    limit: Callable[[float], int]
    latency_seconds: float = 0.2
    retries_after_seconds: float | None = None
    carried_out: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._allowance = Allowance()

    def call(self, now: float) -> float | None:
        """Carry a call out (None), or refuse it and say how long to wait."""
        wait = self._allowance.refuses_for(self.limit(now), now)
        (self.carried_out if wait is None else self.refused).append(now)
        return wait if wait is None or self.retries_after_seconds is None else self.retries_after_seconds

    def rate(self, start: float, end: float) -> float:
        """Return the calls a minute that were carried out between two times."""
        return sum(start <= each < end for each in self.carried_out) / (end - start) * MINUTE

    def refused_share(self, start: float, end: float) -> float:
        """Return the refused ones of all calls between two times."""
        refused = sum(start <= each < end for each in self.refused)
        return refused / max(1, refused + sum(start <= each < end for each in self.carried_out))


class World:
    """Workers with a budget of their own each, on one connection that tells a time of ours."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.now = 0.0

    def worker(self, cap: int = CAP, **settings: object) -> CallBudget:
        return CallBudget(
            self.warehouse,
            account="auto",
            per_minute={"customer": cap},
            bulk=True,
            auto=["customer"],
            start_per_minute={"customer": START},
        )

    def at(self, taker: CallBudget, now: float) -> None:
        """Turn the clock of a worker's connection."""
        self.now = now
        with taker._connection.cursor() as cursor:
            cursor.execute("select set_config('virtual.seconds', %s, false)", (str(1.8e9 + now),))
        taker._connection.commit()

    def spend(
        self, service: Service, until: float, workers: int = 2, latency_of: Callable[[float], float] | None = None
    ) -> None:
        """Let workers call as fast as they may until a time."""
        takers = [self.worker() for _ in range(workers)]
        for taker in takers:
            taker.__enter__()
            self.at(taker, self.now)
        events = [(self.now, number) for number in range(workers)]
        lines: list[deque[float]] = [deque() for _ in takers]
        while events[0][0] < until:
            now, number = heapq.heappop(events)
            taker, line = takers[number], lines[number]
            if not line:
                self.at(taker, now)
                grant = taker.take("customer", 1_000)
                line.extend(now + grant.wait_seconds + place * grant.spacing_seconds for place in range(grant.count))
                heapq.heappush(events, (line[0] if line else now + max(0.01, grant.wait_seconds), number))
                continue
            moment = line.popleft()
            wait = service.call(moment)
            taker.answered("customer", latency_of(moment) if latency_of else service.latency_seconds)
            if wait is not None:
                self.at(taker, moment)
                taker.pause("customer", wait)
                line.clear()
            heapq.heappush(events, (line[0] if line else moment, number))
        self.now = until
        for taker in takers:
            taker.__exit__(None, None, None)


@pytest.fixture
def world(emptied_warehouse_dsn: str) -> Iterator[World]:
    url = url_from_text(emptied_warehouse_dsn)
    with Warehouse(url).transaction("make the clock") as cursor:
        cursor.execute("drop schema if exists virtual cascade")
        cursor.execute(CLOCK)
    options = "-c search_path=virtual,pg_catalog -c virtual.seconds=1800000000"
    yield World(Warehouse(url.update_query_dict({"options": options})))
    with Warehouse(url).transaction("take the clock away") as cursor:
        cursor.execute("drop schema virtual cascade")


def moves(world: World, what: str = "count(*)", where: str = "true") -> float:
    with world.warehouse.transaction("read the moves") as cursor:
        cursor.execute(f"select {what} from sync.call_budget_move where {where}")
        (value,) = cursor.fetchone()  # type: ignore[misc]
        return float(value)


@pytest.mark.parametrize(("limit", "retry_after"), [(60, None), (150, 20.0), (150, 60.0)])
def test_nine_tenths_of_the_limit_in_15_minutes_and_held(world: World, limit: int, retry_after: float | None) -> None:
    service = Service(lambda _: limit, retries_after_seconds=retry_after)

    world.spend(service, 40 * MINUTE)

    assert service.rate(15 * MINUTE, 40 * MINUTE) >= 0.9 * limit
    assert service.refused_share(15 * MINUTE, 40 * MINUTE) < 0.01
    assert moves(world, where="reason = 'refused'") >= 1
    assert moves(world, "max(to_per_minute)") <= CAP


@pytest.mark.parametrize(("before", "after"), [(160, 60), (60, 160)])
def test_limit_that_changes_is_found_again(world: World, before: int, after: int) -> None:
    service = Service(lambda now: before if now < 30 * MINUTE else after)

    world.spend(service, 65 * MINUTE)

    assert service.rate(15 * MINUTE, 30 * MINUTE) >= 0.9 * before
    assert service.rate(45 * MINUTE, 65 * MINUTE) >= 0.9 * after
    assert service.refused_share(15 * MINUTE, 65 * MINUTE) < 0.01


def test_budget_stops_at_its_cap_and_is_kept_for_the_next_run(world: World) -> None:
    service = Service(lambda _: 100_000)
    world.spend(service, 12 * MINUTE, workers=1)

    with world.worker() as again:
        assert again.calls_per_minute("customer") == CAP
    with world.worker(cap=700) as lower:
        assert lower.calls_per_minute("customer") == 700
    assert service.refused == []


def test_budget_that_nobody_uses_up_does_not_grow(world: World) -> None:
    rng = random.Random(1)
    with world.worker() as taker:
        now = 0.0
        while now < 20 * MINUTE:
            world.at(taker, now)
            taker.take("customer", 1)
            now += rng.uniform(1.0, 4.0)

        assert taker.calls_per_minute("customer") == START


def test_answers_that_take_ever_longer_make_the_budget_smaller(world: World) -> None:
    service = Service(lambda _: 100_000)
    world.spend(service, 5 * MINUTE, workers=1)
    before = moves(world, "max(to_per_minute)")

    world.spend(service, 8 * MINUTE, workers=1, latency_of=lambda _: 2.0)

    assert moves(world, where="reason = 'slow'") >= 3
    assert moves(world, "min(to_per_minute)", "reason = 'slow'") < 0.7 * before


def test_fixed_budget_is_only_paused(world: World) -> None:
    with CallBudget(world.warehouse, account="fixed", per_minute={"customer": 300}, bulk=True) as taker:
        taker.pause("customer", 5)

        assert taker.calls_per_minute("customer") == 300
        assert taker.take("customer", 1).is_paused
    assert moves(world) == 0
