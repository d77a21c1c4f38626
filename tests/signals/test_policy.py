"""What the policy makes of signals: who is heard of by good ones is looked up seldom without one; useless ones change nothing."""

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.pulls import Syncing
from signals.test_work import Signalling, order_of
from syrve.customers.freshness import Share, SignalEvidence, demand, solve_theta
from syrve.customers.refit import refit
from syrve.warehouse.database import Warehouse

BUDGET = "insert into sync.call_budget (account, family, calls_per_minute, configured_per_minute) values ('a', 'customer', 1, 1)"
LISTED = (
    "insert into syrve.organization (organization_id, name, time_zone, account, synced_at) "
    "values (%s, 'One', 'UTC', 'a', now()) on conflict (organization_id) do update set account = 'a'"
)
SHARE = "select signalled_share from sync.refresh_fit where organization_id = %s"


class Learning(Signalling):
    """An organization whose customers change, with signals or without, and whose policy is fitted."""

    def __init__(self, syncing: Syncing) -> None:
        super().__init__(syncing)
        self.customers = syncing.customers(60)
        syncing.add(phone=[each["phone"] for each in self.customers])
        syncing.execute(LISTED, self.organization_id)
        syncing.execute(BUDGET)
        syncing.pull()

    def fit(self) -> float:
        with self.syncing.warehouse.transaction("test") as cursor:
            refit(cursor)
        return float(self.syncing.value(SHARE, self.organization_id))

    def watch(self, days: int = 30) -> None:
        """Let so much time pass since the last look-ups."""
        self.syncing.execute(
            "update sync.roster set checked_at = checked_at - make_interval(days => %s), due_at = now() + interval '1 day' "
            "where due_at < 'infinity'",
            days,
        )

    def change(self, customers: list[Any]) -> None:
        name = f"Signalled {uuid.uuid4().hex[:8]}"
        for each in customers:
            self.syncing.simulator.control.change_customer(
                self.organization_id, each["customer_id"], fields={"name": name}
            )

    def signal(self, customers: list[Any]) -> None:
        number = uuid.uuid4().int % 10**9
        self.take(*[order_of(each, number=number) for each in customers])
        self.pull()
        self.work.evaluate()

    def intervals(self) -> list[float]:
        return [days for (days,) in self.syncing.rows("select interval_days from sync.refresh_interval order by 1")]


@pytest.fixture
def learning(syncing: Syncing) -> Learning:
    return Learning(syncing)


def test_good_signals_leave_fewer_look_ups_without_one(learning: Learning) -> None:
    assert learning.fit() == 0
    learning.watch()
    learning.change(learning.customers)
    learning.signal(learning.customers)
    learning.watch()
    learning.change(learning.customers[:2])
    learning.syncing.make_due()
    learning.syncing.pull()

    share = learning.fit()

    assert share > 0.6
    query = "select min(interval_days / (fit.theta / sqrt(weight * rate_per_day))) "
    query += "from sync.refresh_interval cross join sync.refresh_fit as fit where interval_days < fit.max_interval_days"
    longer = learning.syncing.value(query)
    assert longer is None or longer >= 1 / (1 - share) ** 0.5 * 0.999
    longest = learning.syncing.value("select max(max_interval_days) from sync.refresh_fit")
    assert max(learning.intervals()) <= longest


def test_signals_that_lead_to_nothing_change_no_interval(learning: Learning) -> None:
    learning.watch()
    learning.signal(learning.customers)

    assert learning.fit() == 0


def test_changes_that_only_look_ups_find_lower_the_share(learning: Learning) -> None:
    learning.watch()
    learning.change(learning.customers)
    learning.signal(learning.customers)
    before = learning.fit()
    learning.watch()
    learning.change(learning.customers)
    learning.syncing.make_due()
    learning.syncing.pull()

    assert learning.fit() < before


def test_signals_that_have_stopped_are_not_reckoned_with(learning: Learning) -> None:
    learning.watch()
    learning.change(learning.customers)
    learning.signal(learning.customers)
    assert learning.fit() > 0

    learning.syncing.execute("update sync.signal_flow set stopped_at = now()")
    assert learning.fit() == 0

    learning.signal(learning.customers[:1])
    assert learning.fit() > 0, "they are back"


rates = st.floats(1e-4, 5.0)
shares = st.builds(
    Share,
    count=st.just(1.0),
    weight=st.floats(0.1, 16.0),
    rate=rates,
    min_days=st.just(0.01),
    max_days=st.floats(1.0, 90.0),
    signalled=st.floats(0.0, 0.95),
)


@given(shares, st.floats(1e-3, 1e3))
def test_fewer_look_ups_are_spent_the_more_signals_report(share: Share, theta: float) -> None:
    without = Share(share.count, share.weight, share.rate, share.min_days, share.max_days)

    assert share.interval(theta) >= without.interval(theta) * (1 - 1e-9)
    assert demand([share], theta) <= demand([without], theta) * (1 + 1e-9)
    assert share.min_days <= share.interval(theta) <= share.max_days


def test_no_other_interval_of_the_same_cost_waits_much_less() -> None:
    often, seldom = Share(1, 1, 0.5, 0.01, 1e4, 0.9), Share(1, 1, 0.02, 0.01, 1e4, 0.9)
    theta = solve_theta([often, seldom], 0.1)

    def waits(days: float, other: float) -> float:
        return sum(each.rate * each.age_days(interval) for each, interval in ((often, days), (seldom, other)))

    ours = waits(often.interval(theta), seldom.interval(theta))
    spent = demand([often, seldom], theta)
    for step in range(1, 400):
        days = often.interval(theta) * 10 ** ((step - 200) / 200)
        left = spent - often.lookups_per_day(days)
        if left > 0:
            other = solve_theta([Share(1, 1, 1.0, 1e-3, 1e4, 0.0)], left)
            while seldom.lookups_per_day(other) > left:
                other *= 1.001
            while seldom.lookups_per_day(other) < left and other > 1e-3:
                other /= 1.001
            assert ours <= 1.02 * waits(days, other)


def test_statement_gives_the_interval_of_the_model(warehouse: Warehouse) -> None:
    with warehouse.transaction("test") as cursor:
        for share in (0.0, 0.3, 0.95):
            for rate in (1e-3, 0.05, 1.0):
                cursor.execute("select sync.refresh_days(2, %s, 0.7, 0.01, 60, %s)", (rate, share))
                assert cursor.fetchone() == (pytest.approx(Share(1, 2, rate, 0.01, 60, share).interval(0.7)),)


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1e4))
def test_share_is_never_all_and_nothing_without_proof(a: float, b: float, c: float, d: float) -> None:
    share = SignalEvidence(a, b, c, d).share

    assert 0 <= share <= 0.95
    assert share == 0 or a >= 20


def test_evidence_of_signals_fades_within_weeks() -> None:
    assert SignalEvidence(100, 100, 5, 5).later(SignalEvidence(), 14).reported == pytest.approx(50)
