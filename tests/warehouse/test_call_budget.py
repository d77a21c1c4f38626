"""Call budgets in Postgres: exact, shared, fair to those who must not wait, and changed while they are spent."""

import itertools
import multiprocessing
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from budget_spender import Share, spend
from fixtures.pulls import Syncing
from syrve.api.permits import PermitLine
from syrve.grants import Grant
from syrve.warehouse.budget import HORIZON_SECONDS, CallBudget
from syrve.warehouse.database import Warehouse
from syrve.warehouse.errors import WarehouseError


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
    granted: list[Grant] = []
    with budget(warehouse, customer=600) as pull:
        while (grant := pull.take("customer", 1_000)).count:
            granted.append(grant)

    ahead = [each.wait_seconds + each.count * each.spacing_seconds for each in granted]
    assert max(ahead) <= HORIZON_SECONDS * 1.6
    assert 0 < grant.wait_seconds <= HORIZON_SECONDS


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


def test_pull_gets_its_share_although_others_queue_beyond_its_horizon(warehouse: Warehouse) -> None:
    with budget(warehouse, customer=60) as pull, budget(warehouse, bulk=False, customer=60) as push:
        for _ in range(4):  # the tasks of a push, four seconds of calls
            push.take("customer", 1)

        granted, refused = pull.take("customer", 1_000), pull.take("customer", 1_000)

    assert granted.count == 1
    assert granted.wait_seconds > HORIZON_SECONDS
    assert refused.count == 0, "its share is four fifths of the budget, and no more"


def backfill(warehouse: Warehouse, *, cap_per_minute: float | None = None, **per_minute: int) -> CallBudget:
    return CallBudget(
        warehouse, account="test", per_minute=per_minute, bulk=True, backfill=True, cap_per_minute=cap_per_minute
    )


def taken_in(seconds: float, *takers: CallBudget) -> list[int]:
    """Let takers take all they are given, side by side, and return how many permits each of them got."""
    ends = time.monotonic() + seconds

    def take(taker: CallBudget) -> int:
        taken = 0
        while (now := time.monotonic()) < ends:
            grant = taker.take("customer", 1_000)
            # One that has permits uses them before it asks again, as a pull does.
            waits = grant.wait_seconds + max(0, grant.count - 1) * grant.spacing_seconds
            taken += sum(now + grant.wait_seconds + n * grant.spacing_seconds < ends for n in range(grant.count))
            time.sleep(max(0.0, min(waits, ends - time.monotonic())))
        return taken

    with ThreadPoolExecutor(len(takers)) as threads:
        return list(threads.map(take, takers))


def test_backfill_alone_gets_the_whole_budget(warehouse: Warehouse) -> None:
    with backfill(warehouse, customer=3_000) as alone:
        (taken,) = taken_in(2, alone)

    assert 0.85 * 100 <= taken <= 100


def test_backfill_beside_a_busy_pull_gets_a_trickle_and_costs_it_next_to_nothing(warehouse: Warehouse) -> None:
    with budget(warehouse, customer=3_000) as pull, backfill(warehouse, customer=3_000) as behind:
        pull.take("customer", 1)
        pulled, filled = taken_in(3, pull, behind)

    assert pulled >= 0.9 * 150
    assert 1 <= filled <= 0.07 * 150


def test_backfill_goes_on_at_full_speed_ten_seconds_after_the_last_pull(warehouse: Warehouse) -> None:
    with budget(warehouse, customer=3_000) as pull, backfill(warehouse, customer=3_000) as behind:
        pull.take("customer", 1)
        assert behind.take("customer", 25).count == 1
        assert behind.take("customer", 25).count == 0
        with warehouse.transaction("test") as cursor:
            cursor.execute("update sync.call_budget set pull_at = pull_at - interval '10 seconds'")

        assert behind.take("customer", 25).count == 25


def test_capped_backfill_keeps_to_its_cap(warehouse: Warehouse) -> None:
    with backfill(warehouse, customer=6_000, cap_per_minute=600) as capped:
        (taken,) = taken_in(2, capped)

    assert 0.75 * 20 <= taken <= 20 + 5, "a grant is half a second's worth"


def test_backfill_leaves_the_reserved_share_to_others_at_work(warehouse: Warehouse) -> None:
    with backfill(warehouse, customer=6_000) as filling, budget(warehouse, bulk=False, customer=6_000) as push:
        push.take("customer", 1)
        (taken,) = taken_in(2, filling)

    assert 0.75 * 0.8 * 200 <= taken <= 1.15 * 0.8 * 200


def test_pull_is_not_made_to_pay_for_what_it_took_while_nobody_else_wanted_it(warehouse: Warehouse) -> None:
    with budget(warehouse, customer=6_000) as pull, budget(warehouse, bulk=False, customer=6_000) as push:
        for _ in range(40):
            assert pull.take("customer", 50).count == 50
            with warehouse.transaction("test") as cursor:
                cursor.execute("update sync.call_budget set next_at = '-infinity'")
        push.take("customer", 1)

        refused = pull.take("customer", 50)

    assert refused.wait_seconds <= HORIZON_SECONDS, "for what it took alone it would otherwise wait 24 s"


def test_two_processes_of_capped_backfills_share_the_cap(syncing: Syncing, warehouse_dsn: str) -> None:
    cap_per_minute, seconds = 600, 4.0
    with spenders(syncing, warehouse_dsn, 2, per_minute=6_000, cap_per_minute=cap_per_minute):
        before = looked_up(syncing)
        time.sleep(seconds)
        taken = looked_up(syncing) - before

    assert 0.7 * 40 <= taken <= 40 + 2 * 5, "a grant is half a second's worth"
    assert set(syncing.simulator.control.calls()["operations"]["customer_info"]["statuses"]) == {"200"}


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


def looked_up(syncing: Syncing) -> int:
    received: int = syncing.simulator.control.calls()["operations"].get("customer_info", {"received": 0})["received"]
    return received


@contextmanager
def spenders(
    syncing: Syncing, warehouse_dsn: str, processes: int, *, per_minute: int, cap_per_minute: float | None = None
) -> Iterator[None]:
    """Processes that spend the budget from before the block begins until it ends."""
    context = multiprocessing.get_context("spawn")
    sent: Any = context.Queue()
    phones = tuple(each["phone"] for each in syncing.customers(4))
    share = Share(
        syncing.simulator.url,
        warehouse_dsn,
        syncing.organization_id,
        phones,
        per_minute,
        time.time() + 3600,
        cap_per_minute,
    )
    workers = [context.Process(target=spend, args=(share, sent), daemon=True) for _ in range(processes)]
    for worker in workers:
        worker.start()
    try:
        deadline = time.monotonic() + 60
        while len(syncing.rows("select 1 from pg_stat_activity where application_name = 'syrve'")) <= processes:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def test_eight_processes_share_a_budget_exactly(syncing: Syncing, warehouse_dsn: str) -> None:
    with spenders(syncing, warehouse_dsn, 8, per_minute=600):
        before, started = looked_up(syncing), time.monotonic()
        ends = started + 60.0
        while (left := ends - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))
        in_a_minute = looked_up(syncing) - before

    assert 582 <= in_a_minute <= 600
    statuses = syncing.simulator.control.calls()["operations"]["customer_info"]["statuses"]
    assert set(statuses) == {"200"}


LEFT_BEHIND = "next_at, next_bulk_at, next_backfill_at, priority_at, pull_at"


@pytest.mark.parametrize("options", [{"bulk": False}, {"bulk": True}, {"bulk": True, "backfill": True}], ids=str)
def test_moments_left_in_the_future_bind_nobody_for_long(syncing: Syncing, options: dict[str, Any]) -> None:
    names = LEFT_BEHIND.split(", ")
    with CallBudget(syncing.warehouse, account="test", per_minute={"customer": 600}, **options) as taker:
        taker.take("customer", 1)
        moments = ", ".join(f"{name} = now() + interval '1 hour'" for name in names)
        syncing.execute(f"update sync.call_budget set {moments}")

        grant = taker.take("customer", 5)

    assert grant.wait_seconds <= 60
    assert not grant.is_paused


def test_grant_says_that_a_wait_is_a_pause(syncing: Syncing) -> None:
    with budget(syncing.warehouse, customer=600) as taker:
        assert not taker.take("customer", 1).is_paused
        taker.pause("customer", 30)

        grant = taker.take("customer", 1)

    assert (grant.count, grant.is_paused) == (0, True)
    assert 25 < grant.wait_seconds <= 30


@pytest.mark.parametrize("value", ["'NaN'", "'Infinity'", "1e-300", "0", "1e300"])
def test_budget_takes_no_number_that_stops_every_call(warehouse: Warehouse, value: str) -> None:
    with budget(warehouse, bulk=False, customer=600):
        pass

    columns = ("calls_per_minute",) if value in ("0", "1e-300") else ("calls_per_minute", "reserved_share")
    for column in columns:
        with pytest.raises(WarehouseError, match="23514"), warehouse.transaction("change a budget") as cursor:
            cursor.execute(f"update sync.call_budget set {column} = {value}")
