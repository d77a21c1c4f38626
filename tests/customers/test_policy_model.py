"""What thousands of random histories of customers come to: the statement that schedules, held to a model of it in Python."""

import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from fixtures.chains import ORGANIZATION, Chain
from syrve.customers.freshness import Cell, Fit, Share
from syrve.customers.merge import LOOKUP_COLUMNS, finish_lookups
from syrve.customers.pull_settings import PullSettings
from syrve.warehouse.copy_text import copy_line, copy_lines
from syrve.warehouse.database import Cursor, fetch_one
from syrve.warehouse.staging import prepare_staging

HISTORIES = 4_000
DECAY = math.log(2) / 150
DAY = timedelta(days=1)
SHAPE, MEAN, THETA, LONGEST = 0.6, 1 / 20, 1.7, 28.0
ROSTER_COLUMNS = (
    *("organization_id", "identity_kind", "identity_value", "source", "priority", "weight", "due_at", "checked_at"),
    *("outcome", "customer_id", "changes", "exposure_days", "changed_at"),
)
FIT = """
insert into sync.refresh_fit (
    organization_id, shape, mean_per_day, calibration, theta, max_interval_days, observed, expected, identities, lookups_per_day,
    keeps_max_age, fitted_at
) values (%s, %s, %s, %s, %s, %s, array_fill(0, array[31]), array_fill(0, array[31]), 1, 1, true, now())
"""


@dataclass(frozen=True)
class History:
    """What the roster knows of a customer (times in days before the look-up), and what the look-up finds."""

    changes: float
    exposure_days: float
    checked: float | None
    changed: float
    priority: int
    weight: float | None
    has_changed: bool
    ordered: float | None

    @property
    def customer_id(self) -> str:
        return f"5f4e0006-0000-4000-8004-{abs(hash(self)) % 10**12:012d}"


@dataclass(frozen=True)
class Learned:
    """What follows: counts that are older now, and days to the next look-up."""

    changes: float
    exposure_days: float
    interval_days: float


def random_history(rng: random.Random) -> History:
    checked = None if rng.random() < 0.1 else rng.choice([0.02, 0.3, 2, 9, 40]) * rng.uniform(0.5, 1.5)
    is_known = checked is not None and rng.random() < 0.9
    return History(
        changes=rng.choice([0.0, 0.2, 1, 3, 20]) * rng.uniform(0.5, 1.5) if is_known else 0.0,
        exposure_days=rng.choice([1, 20, 90, 200]) * rng.uniform(0.5, 1.5) if is_known else 0.0,
        checked=checked,
        changed=(checked or 0) + rng.choice([0, 0, 5, 60, 300]) * rng.random(),
        priority=rng.choice([0, 0, 0, 1, 3, -2]),
        weight=rng.choice([None, None, 2.0, 0.1]),
        has_changed=checked is not None and rng.random() < 0.4,
        ordered=rng.choice([None, rng.uniform(0, 1.2 * (checked or 1)), -1.0]),
    )


def band(changes: float, odds: float) -> int:
    seen = 2 + sum(changes >= bound for bound in (0.05, 0.5, 1.5, 4))
    return seen + 5 * sum(odds >= bound for bound in (0.15, 0.5, 1.5, 5, 20))


def odds_of_stopping(a: float, b: float, silent_days: float) -> float:
    """Return the odds by summing the likelihood of each time of stopping up, over that of a silence without it."""
    silent = min(watched(silent_days), 0.99 * b)
    steps = 2_000
    before = b - silent
    sums = sum(math.pow(before + silent * (step + 0.5) / steps, -a) for step in range(steps))
    return min(1e6, sums * silent / steps / 700 * math.pow(b, a))


def watched(days: float) -> float:
    return (1 - math.exp(-DECAY * days)) / DECAY


def counted(each: History) -> tuple[float, float]:
    """Return the changes and days watched after the look-up."""
    if each.checked is None:
        return 0.0, 0.0
    kept = math.exp(-DECAY * each.checked)
    changes, days = each.changes * kept, each.exposure_days * kept
    if not each.has_changed:
        return changes, days + watched(each.checked)
    if each.ordered is not None and 0 <= each.ordered < each.checked:
        return changes + math.exp(-DECAY * each.ordered), days + watched(each.ordered)
    a, b = changes + SHAPE, days + SHAPE / MEAN
    shrink = b / (b + watched(each.checked))
    some = 1 - shrink**a
    if some < 1e-5:
        return changes + 1, days
    mean = a / b * (1 - shrink ** (a + 1)) / some
    variance = a * (a + 1) / b**2 * (1 - shrink ** (a + 2)) / some - mean**2
    return max(0.0, mean * mean / variance - SHAPE), max(0.0, mean / variance - SHAPE / MEAN)


def model(each: History, calibration: list[float]) -> Learned:
    changes, days = counted(each)
    own = (changes + SHAPE) / (days + SHAPE / MEAN)
    is_new = each.checked is None or each.has_changed
    odds = odds_of_stopping(changes + SHAPE, days + SHAPE / MEAN, 0.0 if is_new else each.changed)
    place = band(changes, odds)
    weight = (1.0 if is_new or each.weight is None else each.weight) * 2.0**each.priority
    rate = calibration[place - 1] * own / (1 + odds)
    return Learned(changes, days, Share(1, weight, rate, 15 / 1440, LONGEST).interval(THETA))


def fill(cursor: Cursor, histories: list[History], at: datetime) -> None:
    roster, lookups, merged = [], [], []
    for each in histories:
        key = (ORGANIZATION, "id", each.customer_id)
        checked = None if each.checked is None else at - each.checked * DAY
        changed = None if each.checked is None else at - each.changed * DAY
        known = ("test", each.priority, each.weight, at, checked, checked and "found", checked and each.customer_id)
        roster.append(copy_line((*key, *known, each.changes, each.exposure_days, changed)))
        ordered = None if each.ordered is None else at - each.ordered * DAY
        lookups.append(copy_line((*key, "found", each.customer_id, at, ordered)))
        if each.has_changed or each.checked is None:
            merged.append(copy_line((ORGANIZATION, each.customer_id, at, each.checked is None)))
    copy_lines(cursor, "sync.roster", ROSTER_COLUMNS, iter(roster))
    copy_lines(cursor, "staging_lookup", LOOKUP_COLUMNS, iter(lookups))
    copy_lines(cursor, "staging_merged", ("organization_id", "customer_id", "fetched_at", "is_new"), iter(merged))


def test_statement_does_to_every_history_what_the_model_does(chain: Chain) -> None:
    rng = random.Random(11)
    calibration = [round(rng.uniform(0.3, 2), 3) for _ in range(31)]
    histories = list({each.customer_id: each for each in (random_history(rng) for _ in range(HISTORIES))}.values())
    with chain.warehouse.connect() as connection:
        prepare_staging(connection)
        with connection, connection.cursor() as cursor:
            cursor.execute(FIT, (ORGANIZATION, SHAPE, MEAN, calibration, THETA, LONGEST))
            cursor.execute("select now()")
            fill(cursor, histories, fetch_one(cursor)[0])
            finish_lookups(cursor, lease=1, settings=PullSettings())
            cursor.execute(
                "select customer_id::text, changes, exposure_days, extract(epoch from due_at - now()) / 86400 from sync.roster"
            )
            found = {each: Learned(*map(float, learned)) for each, *learned in cursor.fetchall()}

    assert len(found) == len(histories)
    for each in histories:
        expected, learned = model(each, calibration), found[each.customer_id]
        assert learned.changes == pytest.approx(expected.changes, rel=1e-3, abs=1e-3), each
        assert learned.exposure_days == pytest.approx(expected.exposure_days, rel=1e-3, abs=1e-2), each
        assert learned.interval_days == pytest.approx(expected.interval_days, rel=2e-3), each


@pytest.mark.parametrize("silent_days", [0, 1e-9, 30, 1e5])
@pytest.mark.parametrize("b", [1e-3, 60, 300])
@pytest.mark.parametrize("a", [0.15, 1 - 1e-9, 1, 1 + 1e-12, 1.5, 5_000])
def test_odds_of_stopping_are_a_number_in_every_case(chain: Chain, a: float, b: float, silent_days: float) -> None:
    odds = chain.value("select sync.odds_of_stopping(%s, %s, %s)", a, b, silent_days)

    assert 0 <= odds < 1e22
    if silent_days <= 1e-9:
        assert odds < 1e-6


def test_who_came_often_is_given_up_sooner_than_who_came_seldom(chain: Chain) -> None:
    often, seldom = chain.rows(
        "select sync.odds_of_stopping(26, 240, 60) union all select sync.odds_of_stopping(2, 240, 60) order by 1 desc"
    )

    assert often[0] > 5
    assert seldom[0] < 0.2


def test_interval_of_the_model_is_that_of_the_fit() -> None:
    fit = Fit(SHAPE, MEAN)
    cell = Cell(4, 1, 1.0, 40.0, 1.0)

    assert fit.rate(cell) == pytest.approx((1.0 + SHAPE) / (40 + SHAPE / MEAN))
    assert band(1.0, 0.0) == 4
