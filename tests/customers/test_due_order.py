"""Whom a pull looks up next: what look-ups teach, the interval that follows, settings by organization, and the order of the queue."""

import math
import random
from datetime import UTC, datetime, timedelta
from functools import partial

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
    id_of,
    wallet,
)

MINUTES, HOURS, DAYS = 60, 3600, 86400
DAY = timedelta(days=1)
KNOWN = by_phone(1)
near = partial(pytest.approx, rel=2e-3)
FIT = """
insert into sync.refresh_fit (
    organization_id, shape, mean_per_day, calibration, theta, max_interval_days, observed, expected, identities, lookups_per_day,
    keeps_max_age, fitted_at
) values (%s, %s, %s, array_fill(1, array[31]), %s, %s, array_fill(0, array[31]), array_fill(0, array[31]), 1, 1, true, now())
on conflict (organization_id) do update set
    shape = excluded.shape, mean_per_day = excluded.mean_per_day, theta = excluded.theta, max_interval_days = excluded.max_interval_days
"""


def poor(balance: int) -> Ending:
    return customer(1, wallets=(wallet(1, str(balance)),))


def fit(chain: Chain, *, shape: float = 1.0, mean: float = 1 / 60, theta: float = 1.0, longest: float = 28.0) -> None:
    chain.execute(FIT, ORGANIZATION, shape, mean, theta, longest)


@pytest.fixture
def one(chain: Chain) -> Chain:
    """A chain with one guest, pulled once."""
    chain.know([KNOWN], poor(0))
    fit(chain)
    chain.now = datetime.now(UTC) - timedelta(days=300)
    chain.pull()
    return chain


def interval(chain: Chain) -> float:
    """Days to the next look-up, from the moment of the last merge, which is just now."""
    found = chain.value(
        "select extract(epoch from due_at - now()) / 86400 from sync.roster where identity_kind = 'phone'"
    )
    return float(found)


def intervals(chain: Chain, *endings: Ending, later: timedelta = DAY) -> list[float]:
    found = []
    for each in endings:
        chain.answers[KNOWN] = each
        chain.pull(later)
        found.append(interval(chain))
    return found


def learned(chain: Chain) -> tuple[float, float]:
    changes, days = chain.rows("select changes, exposure_days from sync.roster where identity_kind = 'phone'")[0]
    return float(changes), float(days)


def set_policy(chain: Chain, **values: float) -> None:
    columns = ", ".join(values)
    numbers = ", ".join(map(str, values.values()))
    chain.execute(f"insert into sync.refresh_policy (organization_id, {columns}) values ('{ORGANIZATION}', {numbers})")


def test_first_look_up_teaches_nothing_and_takes_the_mean_rate(one: Chain) -> None:
    assert learned(one) == (0, 0)
    assert interval(one) == near(math.sqrt(60))
    assert one.value("select count(*) from sync.refresh_evidence") == 0


def test_interval_grows_while_nothing_changes_and_falls_with_a_change(one: Chain) -> None:
    unchanged = intervals(one, *[poor(0)] * 4)
    changed = intervals(one, poor(1), poor(2), poor(3))

    assert unchanged == sorted(unchanged)
    assert unchanged[0] > math.sqrt(60)
    assert changed == sorted(changed, reverse=True)
    assert changed[0] < unchanged[-1]


def test_changes_long_ago_count_less_than_late_ones(one: Chain) -> None:
    intervals(one, *[poor(number) for number in range(1, 6)])
    before = learned(one)[0]

    intervals(one, poor(5), later=timedelta(days=200))

    assert learned(one)[0] == pytest.approx(before * 0.5 ** (200 / 150), rel=0.01)


def test_interval_is_theta_over_the_root_of_the_rate(one: Chain) -> None:
    fit(one, theta=0.3)
    (short,) = intervals(one, poor(0))
    changes, days = learned(one)

    assert short == pytest.approx(0.3 / math.sqrt((changes + 1) / (days + 60)), rel=2e-3)


def test_interval_stays_within_the_bounds(one: Chain) -> None:
    fit(one, theta=1e-6)
    assert intervals(one, poor(0)) == [near(15 / 1440)]
    fit(one, theta=1e4)
    assert intervals(one, poor(0)) == [near(28)]


def moments(changes: float, days: float, shape: float, mean: float, gap: float, changed: bool) -> tuple[float, float]:
    """Mean and variance of the rate after a look-up, summed up over the exact likelihood."""
    a, b = changes + shape, days + shape / mean
    number, top = 200_000, (a + 12 * math.sqrt(a) + 30) / b
    total = first = second = 0.0
    for step in range(number):
        rate = top * ((step + 0.5) / number) ** 3
        width = 3 * top * ((step + 0.5) / number) ** 2 / number
        density = math.exp((a - 1) * math.log(rate) - b * rate) * width
        density *= (1 - math.exp(-rate * gap)) if changed else math.exp(-rate * gap)
        total, first, second = total + density, first + density * rate, second + density * rate * rate
    return first / total, second / total - (first / total) ** 2


def test_what_is_learned_has_mean_and_variance_of_the_exact_likelihood(chain: Chain) -> None:
    rng = random.Random(5)
    shape, mean = 0.6, 1 / 20
    fit(chain, shape=shape, mean=mean)
    kept = 0.5 ** (1 / 150)
    chain.now = datetime.now(UTC) - 2 * DAY
    cases = {}
    for number in range(1, 13):
        chain.know([by_phone(number)], customer(number))
        cases[number] = (round(rng.uniform(0.6, 8), 3), round(rng.uniform(15, 120), 3), number % 2 == 0)
    chain.pull()
    for number, (changes, days, changed) in cases.items():
        chain.execute(
            "update sync.roster set changes = %s, exposure_days = %s where identity_value = %s",
            *(changes, days, by_phone(number).value),
        )
        if changed:
            chain.answers[by_phone(number)] = customer(number, name="Ия")
    chain.pull(DAY)

    for number, (changes, days, changed) in cases.items():
        found = chain.rows(
            "select changes, exposure_days from sync.roster where identity_value = %s", by_phone(number).value
        )
        a, b = float(found[0][0]) + shape, float(found[0][1]) + shape / mean
        watched = (1 - kept) / (math.log(2) / 150)
        exact_mean, variance = moments(changes * kept, days * kept, shape, mean, watched, changed)
        assert a / b == pytest.approx(exact_mean, rel=2e-3), number
        assert a / b**2 == pytest.approx(variance, rel=1e-2), number


def ordered(one: Chain, balance: int, days_ago: float) -> Ending:
    """The guest with a balance, who last ordered so many days before the next pull."""
    return customer(1, wallets=(wallet(1, str(balance)),), last_order_at=one.now + DAY * 10 - timedelta(days=days_ago))


def test_time_of_the_last_order_says_more_than_that_something_changed(one: Chain) -> None:
    learned_by = {}
    for days_ago in (9.0, 1.0):
        one.execute("update sync.roster set changes = 2, exposure_days = 50, checked_at = %s", one.now)
        intervals(one, ordered(one, int(days_ago), days_ago), later=10 * DAY)
        learned_by[days_ago] = learned(one)

    kept = 0.5 ** (10 / 150)
    for days_ago, (changes, days) in learned_by.items():
        since = 0.5 ** (days_ago / 150)
        assert changes == pytest.approx(2 * kept + since, rel=1e-4)
        assert days == pytest.approx(50 * kept + (1 - since) / (math.log(2) / 150), rel=1e-4)


@pytest.mark.parametrize("days_ago", [-1.0, 10.5])
def test_order_outside_the_days_watched_says_nothing(one: Chain, days_ago: float) -> None:
    found = {}
    for dated in (True, False):
        one.execute("update sync.roster set changes = 2, exposure_days = 50, checked_at = %s", one.now)
        ending = ordered(one, 10 + dated, days_ago)
        intervals(one, ending if dated else poor(10 + dated), later=10 * DAY)
        found[dated] = learned(one)

    assert found[True] == pytest.approx(found[False])


def test_evidence_of_a_batch_counts_changes_seen_and_expected_by_band(one: Chain) -> None:
    intervals(one, poor(0), poor(1))

    rows = one.rows("select observed, expected from sync.refresh_evidence order by noted_at")
    assert [each[0] for each in rows] == [[0] * 31, [0, 1] + [0] * 29]
    assert rows[0][1] == [0, pytest.approx(1 / 61, rel=0.01)] + [0] * 29


@pytest.mark.parametrize(("miss", "outcome"), [(NOT_FOUND, "not_found"), (REJECTED, "rejected")])
def test_who_is_not_found_or_unusable_counts_a_tenth(one: Chain, miss: Ending, outcome: str) -> None:
    intervals(one, *[miss] * 3)

    assert one.rows("select outcome, misses, weight from sync.roster where identity_kind = 'phone'") == [
        (outcome, 3, near(0.1))
    ]
    found = intervals(one, poor(0))
    assert one.value("select weight from sync.roster where identity_kind = 'phone'") is None
    assert found[0] < 28


def test_deleted_customer_counts_a_tenth_and_one_of_the_crm_twice(one: Chain) -> None:
    intervals(one, customer(1, is_deleted=True))
    assert one.value("select weight from sync.roster") == near(0.1)

    one.execute(
        "insert into crm.customer (organization_id, customer_id, phone) values (%s, %s, %s)",
        ORGANIZATION,
        id_of(1),
        KNOWN.value,
    )
    intervals(one, poor(0))
    assert one.value("select weight from sync.roster") == 2


def test_each_step_of_priority_doubles_the_weight(one: Chain) -> None:
    (plain,) = intervals(one, poor(0))
    one.execute("update sync.roster set priority = 2")
    changes, days = learned(one)
    (double,) = intervals(one, poor(0))

    assert double < plain
    kept = 0.5 ** (1 / 150)
    rate = (changes * kept + 1) / (days * kept + 60 + (1 - kept) / (math.log(2) / 150))
    assert double == pytest.approx(1 / math.sqrt(4 * rate), rel=3e-3)


def test_who_got_no_answer_is_due_in_a_minute_and_learns_nothing(one: Chain) -> None:
    intervals(one, poor(1))
    checked, before = one.value("select checked_at from sync.roster"), learned(one)
    waits = []
    for _ in range(3):
        intervals(one, FAILED)
        waits.append(one.value("select extract(epoch from due_at - now()) / 60 from sync.roster"))

    assert list(map(float, waits)) == [pytest.approx(each, rel=0.1) for each in (1, 2, 4)]
    assert one.rows("select outcome, checked_at from sync.roster") == [("failed", checked)]
    assert learned(one) == before


def test_who_is_looked_at_by_the_clock_is_due_every_quarter_hour(one: Chain) -> None:
    one.execute("update sync.roster set active_until = %s", one.now + 3 * DAY)

    assert intervals(one, poor(0), poor(7)) == [near(15 / 1440)] * 2
    assert one.value("select active_until from sync.roster") is not None

    (after,) = intervals(one, poor(7), later=timedelta(days=2))
    assert after > 1
    assert one.value("select active_until from sync.roster") is None


def test_wallet_that_moved_does_not_put_a_customer_on_the_clock(one: Chain) -> None:
    intervals(one, poor(7))

    assert one.value("select active_until from sync.roster") is None


POLICIES: list[tuple[dict[str, float], float, Ending, float]] = [
    ({"min_interval_seconds": 6 * HOURS}, 1e-6, poor(0), 0.25),
    ({"max_age_seconds": 10 * DAYS}, 1e4, poor(0), 9.3),
    ({"watch_seconds": HOURS}, 1, poor(0), 1 / 24),
]


@pytest.mark.parametrize(("policy", "theta", "ending", "expected"), POLICIES)
def test_settings_of_an_organization_come_before_the_projects(
    one: Chain, policy: dict[str, float], theta: float, ending: Ending, expected: float
) -> None:
    set_policy(one, **policy)
    fit(one, theta=theta)
    if "watch_seconds" in policy:
        one.execute("update sync.roster set active_until = %s", one.now + 3 * DAY)

    assert intervals(one, ending) == [pytest.approx(expected, rel=2e-3)]


def test_weights_of_an_organization_come_before_the_projects(one: Chain) -> None:
    set_policy(one, gone_weight=0.5, crm_weight=3)
    intervals(one, NOT_FOUND)
    assert one.value("select weight from sync.roster where identity_kind = 'phone'") == 0.5


def test_settings_of_one_organization_do_not_concern_another(one: Chain) -> None:
    one.execute("insert into sync.refresh_policy values (%s, 120, 60, 60, 9, 9)", OTHER_ORGANIZATION)

    assert intervals(one, poor(0))[0] > 7
