"""`analytics.sync_freshness`: how fresh the mirror is, counted by hand."""

from datetime import timedelta

import pytest

from devstack.postgres import PostgresServer
from fixtures.chains import ORGANIZATION, OTHER_ORGANIZATION, Chain
from fixtures.logins import login_of
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.errors import WarehouseConfigError

UNLISTED = "5f4e0006-0000-4000-8000-000000000003"
ADD = """
insert into sync.roster (organization_id, identity_kind, identity_value, source, outcome, checked_at, due_at, active_until)
values (
    %s, 'card', %s, 'test', %s, now() - make_interval(mins => %s), now() + make_interval(mins => %s),
    case when %s then now() + interval '1 day' end
)
"""
ROSTER = [
    # organization, outcome, minutes since the answer, minutes until due, active
    (ORGANIZATION, "found", 30, 60, False),
    (ORGANIZATION, "found", 90, -10, False),
    (ORGANIZATION, "found", 60 * 25, -90, False),
    (ORGANIZATION, "found", 60 * 24 * 8, 5, False),
    (ORGANIZATION, "not_found", 1, 600, False),
    (ORGANIZATION, "failed", 30, 1, False),
    (ORGANIZATION, None, None, -1, False),
    (ORGANIZATION, "found", 5, 10, True),
    (ORGANIZATION, "found", 50, -2, True),
    (OTHER_ORGANIZATION, "found", 10, 60, False),
    (UNLISTED, None, None, -3, False),
]
FIGURES = """
select
    organization_id::text, organization_name, identities, found, not_found, rejected, failed, never_checked, by_the_clock,
    fresher_than_1h, fresher_than_24h, fresher_than_7d, overdue, round(extract(epoch from longest_overdue) / 60)
from analytics.sync_freshness
order by organization_id
"""


@pytest.fixture
def counted(chain: Chain) -> Chain:
    for number, (organization_id, *rest) in enumerate(ROSTER):
        chain.execute(ADD, organization_id, str(number), *rest)
    for organization_id, name in ((ORGANIZATION, "One"), (OTHER_ORGANIZATION, "Two")):
        chain.execute(
            "insert into syrve.organization (organization_id, name, time_zone, account, synced_at) values (%s, %s, 'UTC', 'a', now())",
            *(organization_id, name),
        )
    return chain


def test_figures_are_those_of_a_roster_counted_by_hand(counted: Chain) -> None:
    assert counted.rows(FIGURES) == [
        (ORGANIZATION, "One", 9, 6, 1, 0, 1, 1, 2, 3, 4, 5, 4, 90),
        (OTHER_ORGANIZATION, "Two", 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, None),
        (UNLISTED, None, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3),
    ]


def test_full_round_is_reckoned_from_the_present_budget_of_the_account(counted: Chain) -> None:
    query = "select full_round, full_round_of_account from analytics.sync_freshness order by organization_id"
    assert counted.rows(query) == [(None, None)] * 3

    counted.execute(
        "insert into sync.call_budget (account, family, calls_per_minute, configured_per_minute)"
        " values ('a', 'customer', 2, 2), ('b', 'customer', 9, 9)"
    )

    seconds = [(270, 300), (30, 300)]
    assert counted.rows(query) == [
        *((timedelta(seconds=own), timedelta(seconds=all_)) for own, all_ in seconds),
        (None, None),
    ]


def test_analyst_reads_freshness_and_nothing_below_it(
    counted: Chain, postgres_server: PostgresServer, emptied_warehouse_dsn: str
) -> None:
    with login_of(postgres_server, "syrve_analyst") as name:
        analyst = Chain(Warehouse(url_from_text(emptied_warehouse_dsn).set(username=name)))

        assert len(analyst.rows(FIGURES)) == 3
        for table in ("sync.roster", "syrve.customer", "syrve.customer_history", "sync.call_budget"):
            with pytest.raises(WarehouseConfigError, match="42501"):
                analyst.rows(f"select from {table}")
        with pytest.raises(WarehouseConfigError, match="42501"):
            analyst.execute("drop view analytics.sync_freshness")


def test_expected_delay_and_age_are_those_of_the_present_intervals(counted: Chain) -> None:
    counted.execute(
        "update sync.roster set changes = case when identity_value = '0' then 9 else 0 end, exposure_days = 90"
    )

    delay, age, bands = counted.rows(
        """
        select
            expected_mean_delay, expected_mean_age,
            array[interval_up_to_1h, interval_up_to_1d, interval_up_to_7d, interval_up_to_30d, interval_over_30d]
        from analytics.sync_freshness where organization_id = %s
        """,
        ORGANIZATION,
    )[0]
    rates = [10 / 150] + [1 / 150] * 8
    intervals = [1 / rate**0.5 for rate in rates]

    waits = sum(rate * days / 2 for rate, days in zip(rates, intervals, strict=True)) / sum(rates)
    assert delay / timedelta(days=1) == pytest.approx(waits, rel=1e-3)
    assert age / timedelta(days=1) == pytest.approx(sum(intervals) / 18, rel=1e-3)
    assert bands == [0, 0, 1, 8, 0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("checked_at = null", "never looked up"),
        ("outcome = 'failed'", "got no answer"),
        ("active_until = now() + interval '1 hour'", "looked at by the clock"),
        ("due_at = checked_at", "made due"),
        ("changes = 3, exposure_days = 30", "3.00 changes seen in 30.0 days watched"),
        ("outcome = 'not_found'", "counts less"),
        (
            "changes = 25, exposure_days = 180, changed_at = checked_at - interval '60 days'",
            "still comes with a probability of",
        ),
        ("due_at = now() - interval '2 hours'", "due since 02:00:00"),
    ],
)
def test_row_explains_when_it_is_due_and_why(counted: Chain, change: str, why: str) -> None:
    counted.execute(f"update sync.roster set {change} where identity_value = '0'")

    explained = counted.rows("select identity_kind, why from sync.explain_due(%s, '0')", ORGANIZATION)

    assert explained[0][0] == "card"
    assert why in explained[0][1]
    assert counted.rows("select from sync.explain_due(%s, 'nobody')", ORGANIZATION) == []
