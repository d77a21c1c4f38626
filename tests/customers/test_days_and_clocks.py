"""A day of an organization ends when its own calendar says so, also where clocks change at midnight, and holds each balance once."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.chains import ORGANIZATION, Chain, id_of
from syrve.warehouse.sql_files import sql

STEP = timedelta(minutes=30)
ZONES_AND_CHANGES = [
    ("Europe/Chisinau", date(2024, 3, 31)),
    ("Europe/Chisinau", date(2024, 10, 27)),
    ("Asia/Beirut", date(2024, 3, 31)),  # there is no midnight
    ("Asia/Beirut", date(2024, 10, 27)),  # 24:00 is 23:00 once more
    ("America/Santiago", date(2024, 9, 8)),
    ("Australia/Lord_Howe", date(2024, 10, 6)),  # by half an hour
    ("Asia/Almaty", date(2024, 3, 1)),  # the country gave up an hour for good
    ("Asia/Kathmandu", date(2024, 3, 1)),
    ("Pacific/Apia", date(2011, 12, 29)),  # the next day was left out
]
"""Places and days around which their clocks changed."""


def begin_of(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def put_balances(chain: Chain, zone: str, since: datetime, until: datetime) -> None:
    """A customer whose balance is another each half an hour: the number of the half hours that have begun."""
    chain.execute(
        "insert into syrve.organization (organization_id, name, time_zone, account, synced_at) values (%s, 'o', %s, 'a', now())",
        ORGANIZATION,
        zone,
    )
    chain.execute(
        "insert into syrve.wallet_balance_version (organization_id, customer_id, wallet_id, type, balance, valid_from, valid_to) "
        "select %s, %s, %s, 1, number, at, at + %s from (select row_number() over (order by at) as number, at "
        "from generate_series(%s::timestamptz, %s, %s) as at) as numbered",
        *(ORGANIZATION, id_of(1), id_of(2), STEP, since, until, STEP),
    )


@pytest.mark.parametrize(("zone", "changed_on"), ZONES_AND_CHANGES)
def test_day_ends_by_the_organizations_calendar(chain: Chain, zone: str, changed_on: date) -> None:
    days = [changed_on + timedelta(days=number) for number in range(-2, 3)]
    since = begin_of(days[0], zone)
    put_balances(chain, zone, since, begin_of(days[-1], zone) + timedelta(days=3))

    for day in days:
        with chain.warehouse.transaction("test") as cursor:
            cursor.execute(
                sql("analytics/daily_balance.sql"), {"organization_id": ORGANIZATION, "day": day.isoformat()}
            )

    ends = [begin_of(day + timedelta(days=1), zone) for day in days]
    expected = [(day, (end - since) // STEP, True) for day, end in zip(days, ends, strict=True)]
    query = "select day, balance::bigint, is_final from syrve.daily_balance where balance > 0 order by day"
    assert chain.rows(query) == expected


@given(zone=st.sampled_from([zone for zone, _ in ZONES_AND_CHANGES]), seconds=st.lists(st.integers(0, 400 * 86400)))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_evaluation_is_of_one_day(chain: Chain, zone: str, seconds: list[int]) -> None:
    """The days of holds touch and do not overlap; as of midnight is as of the end of the day before."""
    chain.execute("delete from wallet.finding_evaluation")
    chain.execute("delete from syrve.organization")
    chain.execute(
        "insert into syrve.organization (organization_id, name, time_zone, account, synced_at) values (%s, 'o', %s, 'a', now())",
        ORGANIZATION,
        zone,
    )
    now = datetime.now(UTC)
    midnights = [begin_of((now - timedelta(seconds=each)).date(), zone) for each in seconds[:3]]
    moments = {now - timedelta(seconds=each) for each in seconds} | {each for each in midnights if each <= now}
    for moment in moments:
        chain.execute(
            "insert into wallet.finding_evaluation (organization_id, as_of, thresholds, first_evaluated_at, evaluated_at) "
            "values (%s, %s, '{}', now(), now())",
            *(ORGANIZATION, moment),
        )

    days = chain.rows("select day from analytics.dangling_by_day where is_evaluated order by day")

    local = {(moment - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date() for moment in moments}
    first = datetime.now(ZoneInfo(zone)).date() - timedelta(days=399)
    assert {day for (day,) in days if day >= first} == {day for day in local if day >= first}
