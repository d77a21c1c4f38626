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
    organization_id::text, organization_name, tier, identities, found, fresher_than_1h, fresher_than_24h, fresher_than_7d, overdue,
    round(extract(epoch from longest_overdue) / 60), never_checked
from analytics.sync_freshness
order by organization_id, tier desc
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
        (ORGANIZATION, "One", "regular", 7, 4, 1, 2, 3, 3, 90, 1),
        (ORGANIZATION, "One", "active", 2, 2, 2, 2, 2, 1, 2, 0),
        (OTHER_ORGANIZATION, "Two", "regular", 1, 1, 1, 1, 1, 0, None, 0),
        (UNLISTED, None, "regular", 1, 0, 0, 0, 0, 1, 3, 1),
    ]


def test_full_round_is_reckoned_from_the_present_budget_of_the_account(counted: Chain) -> None:
    query = "select full_round, full_round_of_account from analytics.sync_freshness order by organization_id, tier desc"
    assert counted.rows(query) == [(None, None)] * 4

    counted.execute(
        "insert into sync.call_budget (account, family, calls_per_minute, configured_per_minute)"
        " values ('a', 'customer', 2, 2), ('b', 'customer', 9, 9)"
    )

    seconds = [(210, 300), (60, 300), (30, 300)]
    assert counted.rows(query) == [
        *((timedelta(seconds=own), timedelta(seconds=all_)) for own, all_ in seconds),
        (None, None),
    ]


def test_analyst_reads_freshness_and_nothing_below_it(
    counted: Chain, postgres_server: PostgresServer, emptied_warehouse_dsn: str
) -> None:
    with login_of(postgres_server, "syrve_analyst") as name:
        analyst = Chain(Warehouse(url_from_text(emptied_warehouse_dsn).set(username=name)))

        assert len(analyst.rows(FIGURES)) == 4
        for table in ("sync.roster", "syrve.customer", "syrve.customer_history", "sync.call_budget"):
            with pytest.raises(WarehouseConfigError, match="42501"):
                analyst.rows(f"select from {table}")
        with pytest.raises(WarehouseConfigError, match="42501"):
            analyst.execute("drop view analytics.sync_freshness")
