"""Whom a pull looks up next: intervals, tiers, settings by organization, and whoever says that something happened."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fixtures.chains import (
    FAILED,
    NOT_FOUND,
    ORGANIZATION,
    OTHER_ORGANIZATION,
    REJECTED,
    Chain,
    Ending,
    by_phone,
    customer,
    wallet,
)
from syrve.customers.plan import plan_pull
from syrve.customers.settings import PullSettings
from syrve.warehouse.database import Warehouse

MINUTES, HOURS, DAYS = 60, 3600, 86400
KNOWN = by_phone(1)


def poor(balance: int) -> Ending:
    return customer(1, wallets=(wallet(1, str(balance)),))


@pytest.fixture
def one(chain: Chain) -> Chain:
    """A chain with one guest, pulled once."""
    chain.know([KNOWN], poor(0))
    chain.pull()
    return chain


def distance(chain: Chain) -> int:
    """Seconds to the next look-up, before jitter."""
    found: int = chain.value("select refresh_seconds from sync.roster where identity_kind = 'phone'")
    return found


def distances(chain: Chain, *endings: Ending, later: timedelta = timedelta(hours=1)) -> list[int]:
    found = []
    for each in endings:
        chain.answers[KNOWN] = each
        chain.pull(later)
        found.append(distance(chain))
    return found


def set_policy(chain: Chain, **values: int) -> None:
    columns = ", ".join(values)
    numbers = ", ".join(map(str, values.values()))
    chain.execute(f"insert into sync.refresh_policy (organization_id, {columns}) values ('{ORGANIZATION}', {numbers})")


def test_distance_doubles_while_nothing_changes_up_to_the_ceiling_and_falls_back_with_a_change(one: Chain) -> None:
    assert distance(one) == 6 * HOURS
    unchanged = distances(one, *[poor(0)] * 6)
    assert unchanged == [12 * HOURS, 24 * HOURS, 48 * HOURS, 96 * HOURS, 7 * DAYS, 7 * DAYS]
    assert distances(one, customer(1, name="Ия", wallets=(wallet(1, "0"),))) == [6 * HOURS]


def test_next_look_up_is_due_a_distance_after_the_answer_give_or_take_a_twentieth(chain: Chain) -> None:
    chain.know([by_phone(number) for number in range(60)], NOT_FOUND)
    chain.now = datetime.now(UTC)
    chain.pull_due()

    share = "extract(epoch from due_at - checked_at) / refresh_seconds"
    least, most, different = chain.rows(f"select min({share}), max({share}), count(distinct {share}) from sync.roster")[
        0
    ]
    assert 0.95 <= least < most <= 1.05
    assert different > 50, "so identities that were imported together drift apart"


def test_customer_whose_wallet_moved_is_active_and_looked_up_soon(one: Chain) -> None:
    assert distances(one, poor(7)) == [15 * MINUTES]
    assert one.value("select active_until - checked_at from sync.roster") == timedelta(days=2)


def test_active_customer_is_left_alone_more_and_more_but_no_more_than_the_floor(one: Chain) -> None:
    assert distances(one, poor(7), *[poor(7)] * 6) == [
        *(15 * MINUTES, 30 * MINUTES, 60 * MINUTES, 2 * HOURS, 4 * HOURS),
        *(6 * HOURS, 6 * HOURS),
    ]


def test_active_customer_whose_profile_changed_goes_on_being_active(one: Chain) -> None:
    distances(one, poor(7))
    until = one.value("select active_until from sync.roster")

    assert distances(one, customer(1, name="Ия", wallets=(wallet(1, "7"),))) == [6 * HOURS]
    assert one.value("select active_until from sync.roster") == until


def test_activity_lapses_and_the_customer_is_a_regular_one_again(one: Chain) -> None:
    distances(one, poor(7))

    assert distances(one, poor(7), later=timedelta(days=2, seconds=1)) == [6 * HOURS]
    assert one.value("select active_until from sync.roster") is None


def test_new_customer_is_not_active_however_full_their_wallets(one: Chain) -> None:
    assert one.value("select active_until from sync.roster") is None


@pytest.mark.parametrize(("miss", "outcome"), [(NOT_FOUND, "not_found"), (REJECTED, "rejected")])
def test_who_is_not_found_or_unusable_is_asked_for_less_and_less_up_to_thirty_days(
    one: Chain, miss: Ending, outcome: str
) -> None:
    assert distances(one, *[miss] * 9) == [*(6 * HOURS * 2**n for n in range(7)), 30 * DAYS, 30 * DAYS]
    assert one.rows("select outcome, misses from sync.roster where identity_kind = 'phone'") == [(outcome, 9)]


def test_who_got_no_answer_is_due_in_a_minute_and_keeps_their_distance(one: Chain) -> None:
    checked = one.value("select checked_at from sync.roster")
    waits = []
    for _ in range(3):
        distances(one, FAILED)
        waits.append(one.value("select extract(epoch from due_at - now()) / 60 from sync.roster"))

    assert list(map(float, waits)) == [pytest.approx(each, rel=0.1) for each in (1, 2, 4)]
    assert one.rows("select outcome, checked_at, refresh_seconds from sync.roster") == [("failed", checked, 6 * HOURS)]


POLICIES: list[tuple[dict[str, int], list[Ending], list[int]]] = [
    ({"floor_seconds": 100}, [poor(0), poor(0)], [12 * HOURS, 24 * HOURS]),
    ({"floor_seconds": 100}, [customer(1, name="Ия")], [100]),
    ({"floor_seconds": 9 * DAYS}, [poor(0), poor(0)], [9 * DAYS, 9 * DAYS]),
    ({"ceiling_seconds": 8 * HOURS}, [poor(0), poor(0)], [8 * HOURS, 8 * HOURS]),
    ({"ceiling_seconds": HOURS}, [customer(1, name="Ия"), customer(1, name="Ия")], [15 * MINUTES, 30 * MINUTES]),
    ({"ceiling_seconds": HOURS}, [poor(0)], [HOURS]),
    ({"not_found_ceiling_seconds": 7 * HOURS}, [NOT_FOUND, NOT_FOUND], [6 * HOURS, 7 * HOURS]),
    ({"active_floor_seconds": 60}, [poor(7), poor(7), poor(7)], [60, 120, 240]),
    ({"active_floor_seconds": 9 * HOURS}, [poor(7), poor(7)], [6 * HOURS, 6 * HOURS]),
    ({"floor_seconds": 300}, [poor(7), poor(7)], [300, 300]),
    ({"active_for_seconds": 0}, [poor(7), poor(7)], [6 * HOURS, 12 * HOURS]),
    ({"active_for_seconds": HOURS}, [poor(7), poor(7)], [15 * MINUTES, 30 * MINUTES]),
]


@pytest.mark.parametrize(("policy", "endings", "expected"), POLICIES)
def test_settings_of_an_organization_come_before_the_projects(
    one: Chain, policy: dict[str, int], endings: list[Ending], expected: list[int]
) -> None:
    set_policy(one, **policy)

    assert distances(one, *endings, later=timedelta(minutes=5)) == expected


def test_active_for_seconds_of_an_organization_says_how_long_and_zero_turns_the_tier_off(one: Chain) -> None:
    set_policy(one, active_for_seconds=90)
    distances(one, poor(7))
    assert one.value("select active_until - checked_at from sync.roster") == timedelta(seconds=90)

    one.execute("update sync.refresh_policy set active_for_seconds = 0")
    distances(one, poor(8))
    assert one.value("select active_until from sync.roster") is None


def test_settings_of_one_organization_do_not_concern_another(one: Chain) -> None:
    one.execute("insert into sync.refresh_policy values (%s, 1, 2, 3, 4, 5)", OTHER_ORGANIZATION)

    assert distances(one, poor(0)) == [12 * HOURS]


def due(chain: Chain, *rows: tuple[int, int, float | None]) -> None:
    """Put phones on the roster: number, priority, and minutes overdue or (below zero) to go."""
    for number, priority, overdue in rows:
        chain.know([by_phone(number)], customer(number))
        chain.execute(
            "update sync.roster set priority = %s, due_at = now() - make_interval(secs => %s) where identity_value = %s",
            *(priority, 60 * (overdue or 0), by_phone(number).value),
        )


def test_higher_priority_goes_first_and_then_who_has_waited_longest(chain: Chain) -> None:
    due(chain, (1, 0, 5), (2, 9, 1), (3, 0, 60), (4, 9, 2), (5, -3, 600), (6, 9, -5))
    chain.settings = PullSettings(batch_size=2)

    chain.pull_due()

    assert [int(each.value[-1]) for each in chain.bulk.asked] == [4, 2, 3, 1, 5]


def test_pull_of_a_worker_whose_clock_is_slow_comes_to_its_end(chain: Chain) -> None:
    chain.know([KNOWN], poor(0))
    chain.now = datetime.now(UTC) - timedelta(days=30)

    assert chain.pull_due().requested == 1


def test_limit_takes_the_most_urgent(chain: Chain) -> None:
    due(chain, (1, 0, 5), (2, 9, 1), (3, 0, 60))

    assert chain.pull_due(max_identities=2).requested == 2
    assert [int(each.value[-1]) for each in chain.bulk.asked] in ([2, 3], [3, 2])


def make_active(chain: Chain, number: int) -> None:
    chain.execute(
        "update sync.roster set active_until = now() + interval '1 day' where identity_value = %s",
        by_phone(number).value,
    )


def test_active_ones_belong_to_the_active_tier_until_they_have_been_left_lying(
    chain: Chain, warehouse: Warehouse
) -> None:
    due(chain, (1, 0, 5), (2, 0, 5), (3, 0, 65), (4, 0, -5))
    for number in (2, 3, 4):
        make_active(chain, number)
    options: dict[str, Any] = {"shard_size": 10, "max_shards": 1, "limit": None, "force": False, "wanted": []}

    planned = [plan_pull(warehouse, visible=[ORGANIZATION], tier=tier, **options).due for tier in ("regular", "active")]
    chain.pull_due()
    regular = {int(each.value[-1]) for each in chain.bulk.asked}
    chain.pull_due(tier="active")
    active = {int(each.value[-1]) for each in chain.bulk.asked}

    assert planned == [2, 2]
    assert (regular, active) == ({1, 3}, {2})


def test_active_tier_takes_all_active_ones_that_are_due(chain: Chain) -> None:
    due(chain, (1, 0, 5), (2, 0, 5), (3, 0, 65), (4, 0, -5))
    for number in (2, 3, 4):
        make_active(chain, number)

    chain.pull_due(tier="active")

    assert {int(each.value[-1]) for each in chain.bulk.asked} == {2, 3}
