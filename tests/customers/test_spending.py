"""The policy's arithmetic: what a roster teaches, and how a budget is shared out."""

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syrve.customers.freshness import (
    BANDS,
    KEPT_SHARE,
    Budgeted,
    Cell,
    Fit,
    Share,
    demand,
    learn,
    least_budget,
    solve_theta,
    spend,
)

NOTHING = (0.0,) * BANDS
shares = st.lists(
    st.builds(
        Share,
        count=st.floats(1, 1e6),
        weight=st.floats(0.1, 32),
        rate=st.floats(1e-5, 50),
        min_days=st.just(15 / 1440),
        max_days=st.floats(1, 400),
    ),
    min_size=1,
    max_size=20,
)


@given(shares=shares, part=st.floats(0.01, 0.99))
def test_demand_equals_the_budget_within_the_bounds(shares: list[Share], part: float) -> None:
    least, most = demand(shares, 1e9), demand(shares, 1e-9)
    budget = least + part * (most - least)

    theta = solve_theta(shares, budget)

    assert demand(shares, theta) == pytest.approx(budget, rel=1e-3)
    assert all(share.min_days <= share.interval(theta) <= share.max_days for share in shares)


@given(shares=shares)
def test_more_budget_never_lengthens_an_interval(shares: list[Share]) -> None:
    least = demand(shares, 1e9)

    thetas = [solve_theta(shares, least * times) for times in (1.1, 2, 5)]

    assert thetas == sorted(thetas, reverse=True)


def test_no_other_intervals_of_the_same_cost_wait_less() -> None:
    rng = random.Random(3)
    parts = [Share(100, 1.0, rng.gammavariate(0.4, 0.1) + 1e-4, 0.01, 1e4) for _ in range(30)]
    theta = solve_theta(parts, 300)
    best = sum(each.count * each.rate * each.interval(theta) / 2 for each in parts)

    for _ in range(200):
        days = [each.interval(theta) * math.exp(rng.gauss(0, 0.2)) for each in parts]
        cost = sum(each.count / day for each, day in zip(parts, days, strict=True))
        waits = sum(each.count * each.rate * day * cost / 300 / 2 for each, day in zip(parts, days, strict=True))
        assert waits >= best * (1 - 1e-3)


def alike(number: int, *, max_age_days: float = 30.0) -> Budgeted:
    cells = [Cell(2, number / 2, 0.0, 60.0, 1.0), Cell(6, number / 2, 8.0, 60.0, 1.0)]
    return Budgeted(Fit(), cells, min_days=15 / 1440, max_age_days=max_age_days)


def test_promise_is_kept_at_the_least_budget_and_not_pretended_below() -> None:
    part = alike(3_000)
    enough = least_budget([part])

    assert enough == pytest.approx(100 / 0.95)
    assert spend([part], enough * 1.001).keeps_max_age
    assert part.longest_days == pytest.approx(KEPT_SHARE * 30)
    assert not spend([part], enough * 0.999).keeps_max_age
    assert part.longest_days == pytest.approx(2 * 3_000 / (enough * 0.999)), "two rounds of all customers"


def test_outlook_gets_better_with_the_budget() -> None:
    outlooks = [spend([alike(1_000)], budget) for budget in (50, 100, 200, 400)]

    for worse, better in itertools.pairwise(outlooks):
        assert better.mean_delay_days < worse.mean_delay_days
        assert better.mean_age_days < worse.mean_age_days


def test_organizations_of_one_login_share_one_threshold() -> None:
    small, large = alike(100), alike(10_000)

    theta = spend([small, large], 1_000).theta

    assert demand(small.shares(), theta) + demand(large.shares(), theta) == pytest.approx(1_000, rel=1e-3)
    assert demand(large.shares(), theta) == pytest.approx(100 * demand(small.shares(), theta), rel=1e-6)


@pytest.mark.parametrize(("shape", "mean"), [(0.4, 1 / 20), (1.0, 1 / 40), (3.0, 1 / 10)])
def test_fit_finds_the_distribution_that_the_customers_come_from(shape: float, mean: float) -> None:
    rng = random.Random(7)
    cells = []
    for _ in range(3_000):
        rate = rng.gammavariate(shape, mean / shape)
        changes = sum(1 for _ in range(2_000) if rng.random() < rate * 120 / 2_000)
        cells.append(Cell(2, 1, changes, 120, 1.0))
    found = Fit()

    for _ in range(40):
        found = learn(found, cells, NOTHING, NOTHING, days=1)

    assert found.mean_per_day == pytest.approx(mean, rel=0.1)
    assert found.shape == pytest.approx(shape, rel=0.25)


def test_correction_of_a_band_goes_from_none_to_what_was_seen() -> None:
    before = Fit()
    assert before.calibration == (1.0,) * BANDS

    seen, guessed = [0.0] * BANDS, [0.0] * BANDS
    seen[1], guessed[1], guessed[5] = 200, 100, 40
    after = learn(before, [], seen, guessed, days=0)

    assert after.calibration == pytest.approx((1, 210 / 110, 1, 1, 1, 10 / 50) + (1,) * (BANDS - 6))
    much_later = learn(after, [], NOTHING, NOTHING, days=120)
    assert much_later.observed[1] == pytest.approx(100)


def test_few_customers_leave_the_first_guess_as_it_is() -> None:
    assert learn(Fit(), [Cell(6, 5, 20, 10, 1.0)], NOTHING, NOTHING, days=1) == Fit()
