"""A query on any SQL database gives identities; what the database says of rows is told to nobody."""

import re
from collections.abc import Callable, Iterable

import pytest
import sqlalchemy

from fixtures.rosters import CANARY, CUSTOMER, TWO_PHONES, Roster
from syrve.customers.identities import COLUMNS
from syrve.sources.errors import UnreadableSource, UnusableSource
from syrve.sources.query import QuerySource
from syrve.sources.source import CHUNK_ROWS


@pytest.fixture
def shop(empty_database_dsn: str) -> Iterable[sqlalchemy.Engine]:
    """Another database, with guests in it."""
    engine = sqlalchemy.create_engine(empty_database_dsn.replace("postgresql://", "postgresql+psycopg2://", 1))
    with engine.begin() as connection:
        connection.execute(
            sqlalchemy.text("create table guest (guest_id uuid, mobile text, digits bigint, loyalty numeric)")
        )
        connection.execute(
            sqlalchemy.text(
                f"insert into guest values ('{CUSTOMER}', null, null, 1.5), (null, '8 975 000-00-01', null, null),"
                " (null, null, 79750000002, null), (null, null, null, null)"
            )
        )
    yield engine
    engine.dispose()


Query = Callable[[str], QuerySource]


@pytest.fixture
def query(shop: sqlalchemy.Engine) -> Query:
    return lambda text: QuerySource(shop, text)


def test_query_gives_ids_texts_and_numbers_whatever_else_is_null(roster: Roster, query: Query) -> None:
    counts = roster.take(query("select guest_id as id, coalesce(mobile, digits::text) as phone from guest"))
    more = roster.take(query("select digits as phone from guest where digits between 1 and 99999999999::bigint"))

    assert roster.identities == {("id", CUSTOMER), *TWO_PHONES}
    assert roster.rejects == [("empty row", "has no id, phone or card")]
    assert (counts.changed, more.changed, more.unchanged) == (3, 0, 1)


def test_column_of_numbers_with_nulls_keeps_every_digit(roster: Roster, query: Query) -> None:
    roster.take(query("select digits as phone from guest union all select 79990000000000001"))

    assert ("phone 79990000000000001", "phone is not a possible number in region RU") in roster.rejects
    assert roster.identities == {("phone", "+79750000002")}


def test_percent_sign_and_cast_in_a_query_are_taken_as_they_are(roster: Roster, query: Query) -> None:
    roster.take(query("select mobile::text as phone from guest where mobile like '8%' and '10:00:00' > '09:00'"))

    assert roster.identities == {("phone", "+79750000001")}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("select phone from nowhere", "UndefinedTable, 42P01"),
        ("select phone frm guest", "SyntaxError, 42601"),
        (
            "with x as (insert into guest (mobile) values ('+79750000003') returning 1) select * from x",
            "FeatureNotSupported, 0A000",
        ),
    ],
)
def test_refused_query_is_told_without_a_row_value(roster: Roster, query: Query, text: str, told: str) -> None:
    with pytest.raises(UnusableSource, match=re.escape(f"the database refuses the query ({told})")) as caught:
        roster.take(query(text))

    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert not isinstance(caught.value, UnreadableSource)
    [chunk] = query("select mobile as phone, digits from guest").chunks(COLUMNS)
    assert len(chunk.rows) == 4, "a query writes nothing"


@pytest.mark.parametrize(
    "computed",
    [
        "1 / (digits - 79750000002)",
        "(mobile || 'x')::integer",
        "(digits * 9)::smallint",
        "(select 1 from guest)",
        "repeat(mobile, 2000000000)",
    ],
)
def test_error_of_a_value_does_not_tell_which_it_was(query: Query, computed: str) -> None:
    with pytest.raises(UnusableSource, match=r"^the query failed on a row; try it there by hand$") as caught:
        list(query(f"select {computed} as phone from guest").chunks(COLUMNS))
    assert caught.value.__cause__ is None


def test_error_in_the_middle_of_a_query_is_told_without_a_row_value(roster: Roster, query: Query) -> None:
    number = f"select 89750000000 + 100000 / (n - {CHUNK_ROWS + 10}) as phone from generate_series(1, {2 * CHUNK_ROWS}) as s (n)"

    with pytest.raises(UnusableSource, match=r"^the query failed on a row; try it there by hand$"):
        roster.take(query(number))


def test_database_of_the_query_that_is_out_of_reach_is_worth_another_try() -> None:
    engine = sqlalchemy.create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")

    with pytest.raises(UnreadableSource, match=re.escape("out of reach or gave up (OperationalError)")):
        list(QuerySource(engine, "select 1 as phone").chunks(COLUMNS))
