"""Call budgets in Postgres: exact, shared, fair to those who must not wait, and changed while they are spent."""

import itertools
import multiprocessing
import time
from collections import deque
from typing import Any

import pytest

from budget_spender import Share, spend
from fixtures.pulls import Syncing
from syrve.api.permits import PermitLine
from syrve.grants import Grant
from syrve.warehouse.budget import HORIZON_SECONDS, CallBudget
from syrve.warehouse.database import Warehouse


def budget(warehouse: Warehouse, *, bulk: bool = True, **per_minute: int) -> CallBudget:
    return CallBudget(warehouse, account="test", per_minute=per_minute, bulk=bulk)


def moments_of(taker: CallBudget, count: int, *, at_once: int = 1) -> list[float]:
    """Take permits without using them, waiting in imagination only where nothing is granted."""
    moments: deque[float] = deque()
    while len(moments) < count:
        grant = taker.take("customer", at_once)
        now = time.monotonic()
        moments.extend(now + grant.wait_seconds + index * grant.spacing_seconds for index in range(grant.count))
        if not grant.count:
            time.sleep(grant.wait_seconds)
    return list(moments)[:count]


def test_permits_are_spaced_evenly_and_a_little_wider_than_the_budget(warehouse: Warehouse) -> None:
    with budget(warehouse, bulk=False, customer=600) as taker:
        moments = moments_of(taker, 20)

    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert sum(gaps) / len(gaps) == pytest.approx(0.101, abs=0.002)


def test_pull_takes_no_further_ahead_than_the_horizon(warehouse: Warehouse) -> None:
    with budget(warehouse, customer=600) as pull:
        granted = [pull.take("customer", 1_000) for _ in range(10)]

    ahead = [grant.wait_seconds + grant.count * grant.spacing_seconds for grant in granted if grant.count]
    assert max(ahead) <= HORIZON_SECONDS * 1.6
    assert granted[-1].count == 0
    assert 0 < granted[-1].wait_seconds <= HORIZON_SECONDS


def test_others_wait_behind_pulls_for_the_horizon_at_most(warehouse: Warehouse) -> None:
    with budget(warehouse, customer=600) as pull, budget(warehouse, bulk=False, customer=600) as push:
        while pull.take("customer", 1_000).count:
            pass

        grant = push.take("customer", 1)

    assert grant.count == 1
    assert grant.wait_seconds <= HORIZON_SECONDS * 1.6


def test_pull_keeps_to_its_share_while_others_are_at_work(warehouse: Warehouse) -> None:
    with budget(warehouse, customer=6_000) as pull, budget(warehouse, bulk=False, customer=6_000) as push:
        taken = 0
        started = time.monotonic()
        while time.monotonic() - started < 3:
            push.take("customer", 1)
            grant = pull.take("customer", 1_000)
            taken += grant.count
            time.sleep(min(grant.wait_seconds, 0.05))

    assert 0.5 * 0.8 * 300 <= taken <= 1.25 * 0.8 * 300, "about four fifths of 100 a second"


def test_pause_holds_back_everybody(warehouse: Warehouse) -> None:
    with budget(warehouse, customer=6_000) as pull, budget(warehouse, bulk=False, customer=6_000) as push:
        push.pause("customer", 30)

        assert pull.take("customer", 5).count == 0
        waiting = push.take("customer", 5)

    assert waiting.count == 0
    assert waiting.wait_seconds == pytest.approx(30, abs=2)


def test_shorter_pause_does_not_cut_a_longer_one_short(warehouse: Warehouse) -> None:
    with budget(warehouse, customer=600) as taker:
        taker.pause("customer", 60)
        taker.pause("customer", 1)
        assert taker.take("customer", 1).wait_seconds > 50


def test_families_and_accounts_have_budgets_of_their_own(warehouse: Warehouse) -> None:
    with budget(warehouse, customer=60, coupon=60) as taker:
        taker.pause("customer", 60)
        assert taker.take("coupon", 1).count == 1
    with CallBudget(warehouse, account="another", per_minute={"customer": 60}, bulk=True) as other:
        assert other.take("customer", 1).count == 1


def test_family_without_a_budget_is_not_limited(warehouse: Warehouse) -> None:
    with budget(warehouse, customer=1) as taker:
        assert taker.take("wallet", 50) == Grant(50, 0.0, 0.0)


def test_changed_setting_of_the_connection_takes_over_and_a_hand_made_one_stays_until_then(
    warehouse: Warehouse,
) -> None:
    def in_force() -> Any:
        with warehouse.transaction("test") as cursor:
            cursor.execute("select calls_per_minute from sync.call_budget")
            return cursor.fetchall()

    with budget(warehouse, customer=600):
        assert in_force() == [(600,)]
        with warehouse.transaction("test") as cursor:
            cursor.execute("update sync.call_budget set calls_per_minute = 30")
    with budget(warehouse, customer=600):
        assert in_force() == [(30,)]
    with budget(warehouse, customer=120):
        assert in_force() == [(120,)]


def test_budget_changed_by_hand_is_followed_at_the_next_grant(warehouse: Warehouse) -> None:
    with budget(warehouse, bulk=False, customer=60) as taker:
        assert taker.take("customer", 1).spacing_seconds == pytest.approx(1.01)
        with warehouse.transaction("test") as cursor:
            cursor.execute("update sync.call_budget set calls_per_minute = 6000")
        assert taker.take("customer", 1).spacing_seconds == pytest.approx(0.0101)


def test_permit_that_nobody_used_in_time_is_lost() -> None:
    line = PermitLine()
    line.add(Grant(3, wait_seconds=0.0, spacing_seconds=1.0), now=100.0)

    assert line.next_moment(101.5) == 101.0
    assert line.next_moment(500.0) is None


def test_eight_processes_share_a_budget_exactly(syncing: Syncing, warehouse_dsn: str) -> None:
    per_minute, processes, seconds = 600, 8, 60.0
    context = multiprocessing.get_context("spawn")
    sent: Any = context.Queue()
    phones = tuple(each["phone"] for each in syncing.customers(4))
    share = Share(syncing.simulator.url, warehouse_dsn, syncing.organization_id, phones, per_minute, time.time() + 3600)
    workers = [context.Process(target=spend, args=(share, sent), daemon=True) for _ in range(processes)]
    for worker in workers:
        worker.start()
    received = syncing.simulator.control

    def looked_up() -> int:
        return received.calls()["operations"].get("customer_info", {"received": 0})["received"]

    try:
        deadline = time.monotonic() + 60
        while len(syncing.rows("select 1 from pg_stat_activity where application_name = 'syrve'")) <= processes:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        before, started = looked_up(), time.monotonic()
        ends = started + seconds
        while (left := ends - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))
        in_a_minute = looked_up() - before
    finally:
        for worker in workers:
            worker.kill()
            worker.join()

    assert 582 <= in_a_minute <= 600
    statuses = received.calls()["operations"]["customer_info"]["statuses"]
    assert set(statuses) == {"200"}
