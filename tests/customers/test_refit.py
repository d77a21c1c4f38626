"""The policy's fit against a real roster: what is read, what is written, what it costs."""

from datetime import UTC, datetime, timedelta

import pytest

from fixtures.chains import ORGANIZATION, OTHER_ORGANIZATION, Chain
from syrve.customers.freshness import Outlook
from syrve.customers.refit import refit

FILL = """
insert into sync.roster (organization_id, identity_kind, identity_value, source, checked_at, outcome, due_at, changes, exposure_days)
select %s, 'card', number::text, 'test', now() - interval '1 day', 'found', now() + interval '1 day', number %% 10, 100
from generate_series(1, %s) as number
"""
LISTED = "insert into syrve.organization (organization_id, name, time_zone, account, synced_at) values (%s, 'One', 'UTC', 'a', now())"
BUDGET = "insert into sync.call_budget (account, family, calls_per_minute, configured_per_minute) values ('a', 'customer', %s, %s)"


@pytest.fixture
def listed(chain: Chain) -> Chain:
    for organization_id, count in ((ORGANIZATION, 2_000), (OTHER_ORGANIZATION, 1_000)):
        chain.execute(FILL, organization_id, count)
        chain.execute(LISTED, organization_id)
    chain.execute(BUDGET, 1, 1)
    return chain


def fitted(chain: Chain) -> Outlook:
    with chain.warehouse.transaction("refit") as cursor:
        return refit(cursor)["a"]


def test_theta_of_a_login_spends_its_budget(listed: Chain) -> None:
    outlook = fitted(listed)

    assert outlook.lookups_per_day == pytest.approx(1440 / 1.01)
    assert listed.value("select count(distinct theta) from sync.refresh_fit") == 1
    assert listed.value("select sum(lookups_per_day) from sync.refresh_fit") == pytest.approx(1440 / 1.01, rel=1e-3)
    asked = "select sum(1 / interval_days) from sync.refresh_interval"
    assert listed.value(asked) == pytest.approx(1440 / 1.01, rel=0.02)


def test_other_work_and_its_backlog_come_first(listed: Chain) -> None:
    listed.execute("insert into sync.run (run_id, task, map_index, calls) values ('a', 'syrve_balances.pull', -1, 400)")
    listed.execute(
        "insert into sync.run (run_id, task, map_index, calls) values ('b', 'syrve_customers.pull', -1, 400)"
    )
    assert fitted(listed).lookups_per_day == pytest.approx(1440 / 1.01 - 400)

    listed.execute("update sync.roster set due_at = now() - interval '1 day'")
    assert fitted(listed).lookups_per_day == pytest.approx(1440 / 1.01 - 400 - (3_000 - 1440 / 1.01 / 8) / 7)


def test_evidence_is_used_once(listed: Chain) -> None:
    listed.execute(
        "insert into sync.refresh_evidence values (%s, now(), array_fill(0, array[31]), array_fill(0, array[31])); "
        "update sync.refresh_evidence set observed[2] = 60, expected[2] = 10",
        ORGANIZATION,
    )

    fitted(listed)
    first = listed.value("select calibration[2] from sync.refresh_fit where organization_id = %s", ORGANIZATION)
    fitted(listed)
    second = listed.value("select calibration[2] from sync.refresh_fit where organization_id = %s", ORGANIZATION)

    assert first == pytest.approx(70 / 20)
    assert second == pytest.approx(first, rel=1e-4)
    assert listed.value("select count(*) from sync.refresh_evidence") == 0


def test_promise_of_an_organization_bounds_its_intervals(listed: Chain) -> None:
    listed.execute(
        "insert into sync.refresh_policy (organization_id, max_age_seconds) values (%s, %s)", ORGANIZATION, 3 * 86400
    )

    assert fitted(listed).keeps_max_age
    longest = "select max(interval_days) from sync.refresh_interval where organization_id = %s"
    assert listed.value(longest, ORGANIZATION) == pytest.approx(0.93 * 3)
    assert listed.value(longest, OTHER_ORGANIZATION) > 3


def test_promise_beyond_the_budget_is_said_and_not_pretended(listed: Chain) -> None:
    listed.execute(
        "insert into sync.refresh_policy (organization_id, max_age_seconds) values (%s, 86400)", ORGANIZATION
    )

    assert not fitted(listed).keeps_max_age
    assert listed.value("select bool_or(keeps_max_age) from sync.refresh_fit") is False


def test_fit_writes_no_roster_row(listed: Chain) -> None:
    version = "select sum(xmin::text::bigint), sum(hashtext(ctid::text)) from sync.roster"
    before = listed.rows(version)

    fitted(listed)

    assert listed.rows(version) == before


def test_pull_after_a_fit_gives_the_new_intervals(chain: Chain, listed: Chain) -> None:
    fitted(listed)
    chain.now = datetime.now(UTC)
    chain.pull(timedelta(0), max_identities=50)

    share = """
        select max(abs(extract(epoch from due_at - checked_at) / 86400 / interval_days - 1))
        from sync.refresh_interval where checked_at = %s
    """
    assert chain.value(share, chain.now) < 1e-3
