"""Queries reach the driver as they are written, read only, and one at a time."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy

from fixtures.queries import phones
from syrve.crm.import_rows import COLUMNS as CRM_COLUMNS
from syrve.sources.errors import UnreadableSource, UnusableSource
from syrve.sources.file_format import FileFormat
from syrve.sources.limits import LIMITS
from syrve.sources.query import QuerySource
from syrve.sources.query_text import one_select
from syrve.wallet.importing import COLUMNS as RECORDS
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text


@pytest.fixture
def engine(warehouse: Warehouse) -> sqlalchemy.Engine:
    return warehouse.engine


@pytest.fixture
def reader(warehouse: Warehouse, warehouse_dsn: str) -> Iterator[sqlalchemy.Engine]:
    """A login that may do what the queries of forms may."""
    with warehouse.transaction("test") as cursor:
        cursor.execute("drop role if exists test_reader")
        cursor.execute("create role test_reader login in role syrve_source")
        cursor.execute("create or replace view source.guest as select '+79755550001'::text as phone")
        cursor.execute("drop table if exists source.list; create table source.list (phone text, birthday date)")
        cursor.execute("insert into source.list values ('+79755550001', '1990-05-15'), ('+79755550002', '1991-06-16')")
        cursor.execute("grant select on source.list to syrve_source")
    url = url_from_text(warehouse_dsn).set(username="test_reader")
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    yield engine
    with warehouse.transaction("test") as cursor:
        cursor.execute("drop view source.guest; drop table source.list")
        cursor.execute("drop role test_reader")


@pytest.mark.parametrize(
    "condition",
    [
        "'{\"vip\":true}'::jsonb @> '{\"vip\":true}'",
        "'12:30'::time < '23:00'::time",
        "'https://x' ~ '^(?:https|http)'",
        "(array[1,2,3])[:2] = array[1,2]",
        "' :tag' like '%:tag'",
        "10 % 3 = 1",
        "'a;b' = 'a;b' and '$x$' <> '$y$;'",
        "true -- phones :new; only",
        "true /* one; /* two; */ three; */",
        "'it''s' = 'it''s' and \"phone\".x is null;",
        "'%(x)s' like '%s%' ; \n ;",
    ],
)
def test_query_reaches_the_driver_as_it_is_written(engine: sqlalchemy.Engine, condition: str) -> None:
    query = f"select '+79161234567' as phone from (select null as x) as phone where {condition}"

    assert phones(engine, query) == ["+79161234567"]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("select 1 as phone; select 2", "must be one statement"),
        ("select 1 as phone; commit; drop table sync.roster", "must be one statement"),
        ("select 1 as phone;--x\n;delete from sync.roster", "must be one statement"),
        ("select ';' as phone, e'\\';commit;drop table sync.roster;--' as x", "must be one statement|backslash"),
        ("select 1 as phone$a$; drop table sync.roster; --$a$", "outside of a quoted text"),
        ("select $x$;$x$ as phone", "outside of a quoted text"),
        ("select 1 as é$x$, ' as a, $x$; drop table sync.roster; --'", "outside of a quoted text"),
        ("delete from sync.roster", "must begin with one of select"),
        ("/* select */ update sync.roster set misses = 1", "must begin with one of select"),
        ("-- select\ndrop table sync.roster", "must begin with one of select"),
        ("set transaction read write", "must begin with one of select"),
        ("do $$ begin end $$", "outside of a quoted text"),
        ("do ' begin end '", "must begin with one of select"),
        ("copy (select 1) to program 'id'", "must begin with one of select"),
        ("", "must begin with one of select"),
        ("select 1 as phone --\r; drop table sync.roster", "ends in a carriage return"),
        ("select 'open as phone", "is not closed"),
        ("select 1 /* open", "is not closed"),
    ],
)
def test_what_is_not_one_select_is_refused_before_it_runs(engine: sqlalchemy.Engine, query: str, told: str) -> None:
    with pytest.raises(UnusableSource, match=told):
        phones(engine, query)


@pytest.mark.parametrize(
    "query",
    [
        "with x as (delete from sync.roster returning 1) select 'a' as phone",
        "select nextval('sync.reject_reject_id_seq') as phone",
        "select set_config('transaction_read_only', 'off', true) as phone",
        "select lo_create(0)::text as phone",
        "select 1 as phone into sync.copied",
        "select identity_value as phone from sync.roster for update",
    ],
)
def test_query_that_writes_is_refused_by_the_database(engine: sqlalchemy.Engine, query: str) -> None:
    with pytest.raises(UnusableSource, match="the database refuses the query") as caught:
        phones(engine, query)
    assert not isinstance(caught.value, UnreadableSource)


def test_query_that_takes_too_long_is_ended(engine: sqlalchemy.Engine) -> None:
    with pytest.raises(UnusableSource, match="took longer than 1 s"):
        phones(engine, "select pg_sleep(30)::text as phone", timeout_seconds=1)


LIFTED = "set_config('statement_timeout', '0', true) as lifted"


def test_query_that_lifts_its_limit_in_the_first_row_is_ended(engine: sqlalchemy.Engine) -> None:
    lifting = f"select x.phone, {LIFTED} from (values ('a')) as x (phone) union all select pg_sleep(8)::text, 'x'"

    with pytest.raises(UnusableSource, match="took longer than 1 s"):
        phones(engine, lifting, timeout_seconds=1)


def test_query_ends_with_its_whole_time(engine: sqlalchemy.Engine) -> None:
    each_in_time = "select pg_sleep(0.3)::text as phone union all select pg_sleep(30)::text"

    with pytest.raises(UnusableSource, match="the query took longer than 1 s altogether"):
        phones(engine, each_in_time, limits=replace(LIMITS, max_seconds=1))


def test_query_that_lifts_its_own_time_limit_is_ended(engine: sqlalchemy.Engine) -> None:
    lifting = "select set_config('statement_timeout', '0', true) as phone from generate_series(1, 10000)"

    with pytest.raises(UnusableSource, match="took longer than 1 s"):
        phones(engine, f"{lifting} union all select pg_sleep(8)::text", timeout_seconds=1)


def test_query_of_a_form_sees_the_views_made_for_it_only(reader: sqlalchemy.Engine) -> None:
    assert phones(reader, "select phone from source.guest") == ["+79755550001"]
    for table in (
        "syrve.customer",
        "crm.customer",
        "sync.roster",
        "sync.reject",
        "wallet.operation",
        "analytics.customer",
    ):
        with pytest.raises(UnusableSource, match=r"InsufficientPrivilege|UndefinedTable"):
            phones(reader, f"select count(*)::text as phone from {table}")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select * from (values (9007199254740993::bigint), (null)) as t (phone)", ["9007199254740993", None]),
        ("select 9007199254740993::numeric as phone", ["9007199254740993"]),
        ("select 79001234568.0::numeric(14, 1) as phone", ["79001234568"]),
        ("select '000123'::bytea as phone", ["000123"]),
    ],
)
def test_numbers_of_a_query_keep_every_digit(engine: sqlalchemy.Engine, query: str, expected: list[str | None]) -> None:
    assert phones(engine, query) == expected


def test_semicolons_at_the_end_are_no_second_statement() -> None:
    assert one_select("select 1 ; ;\n") == "select 1 "


LISTED = "select phone, phone as name, 5 as amount from source.guest"
TYPED = (
    "select '+79750000001' as phone",
    "select phone from (values ('+79750000001')) as t (phone)",
    "with t as (select '+79750000001' as phone) select phone from t",
    "select t.phone from (select '+79750000001' as phone) as t, source.guest as g",
    "select phone from source.guest where false union all select '+79750000001'",
    "select * from (select phone from source.guest where false union all select '+79750000001') as t",
    "with recursive t as (select phone from source.guest where false union all select '+79750000001') select * from t",
    "select coalesce(null, phone) as phone from source.guest",
    "select max(phone) as phone from source.guest",
    "select (select '+79750000001') as phone from source.guest",
    "select t.phone from source.guest right join (values ('+79750000001')) as t (phone) using (phone)",
    "select phone from source.guest full join (values ('+79750000001')) as t (phone) using (phone)",
    "select application_name as phone from pg_stat_activity where set_config('application_name', '+79750000001', false) > ''",
    "select setting as phone from pg_settings where name = 'application_name'",
)


@pytest.mark.parametrize("query", TYPED)
def test_query_of_a_form_names_nobody_by_typing(reader: sqlalchemy.Engine, query: str) -> None:
    with pytest.raises(
        UnusableSource, match=r"must be a column of a table or view|must be one statement|only functions"
    ):
        phones(reader, query, listed_only=True)


@pytest.mark.parametrize("query", ["select 'T' as card", "select '5' as card_number"])
def test_query_of_a_form_types_no_card_either(reader: sqlalchemy.Engine, query: str) -> None:
    with pytest.raises(UnusableSource, match="must be a column of a table or view"):
        phones(reader, query, listed_only=True)


def read(engine: sqlalchemy.Engine, query: str) -> int:
    return sum(len(chunk.rows) for chunk in QuerySource(engine, query, listed_only=True).chunks(CRM_COLUMNS))


@pytest.mark.parametrize(
    "query",
    [
        "select g.phone, h.birthday from source.list g, source.list h",
        'select g.phone, h.birthday from source.list g, source."list" h',
        "select g.phone, h.birthday from source.list g, source./* */LIST h",
        "with t as (select * from source.list) select g.phone, h.birthday from t g, t h",
        "select * from (with t as (select * from source.list) select g.phone, h.birthday from t g, t h) as x",
        "select g.phone, h.birthday from source.guest g, source.list h",
        'select g.phone, h.birthday from source.list g, source.U&"l\\0069st" h',
        "select g.phone, h.birthday from (select g.* from source.list g where e'a\\'' <> 'x') g, source.list h where 'y' <> e'b\\''",
        "select g.phone, h.birthday from source.list g --\r, source.list h",
        "select g.phone, h.birthday from source.list g, (table source.list) h",
    ],
)
def test_query_of_a_form_pairs_no_two_rows(reader: sqlalchemy.Engine, query: str) -> None:
    with pytest.raises(UnusableSource, match=r"once|no WITH|from one table|no backslash|carriage return"):
        read(reader, query)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("select phone, birthday from source.list", 2),
        ("select list.phone, list.birthday from source.list where list.phone <> 'list' -- of the list, with all", 2),
        ("select g.phone, g.birthday from (select * from source.list) g join source.guest o using (phone)", 1),
    ],
)
def test_query_of_a_form_reads_rows_as_a_list_has_them(reader: sqlalchemy.Engine, query: str, rows: int) -> None:
    assert read(reader, query) == rows


@pytest.mark.parametrize("typed", ["customer_id", "crm_id", "category_id", "clear", "wanted"])
def test_query_of_a_form_is_of_the_list_in_all_its_parts(reader: sqlalchemy.Engine, typed: str) -> None:
    with pytest.raises(UnusableSource, match=f"^{typed} of the query must be a column of a table or view"):
        read(reader, f"select phone, null as {typed} from source.list")


FACTS = "record, hold_id, state, occurred_at"


@pytest.fixture
def till(reader: sqlalchemy.Engine, warehouse: Warehouse) -> Iterator[sqlalchemy.Engine]:
    with warehouse.transaction("test") as cursor:
        cursor.execute(
            "create or replace view source.till with (security_barrier) as select 'cancel_hold' as record, 'h' as hold_id,"
            " 'sent' as state, now() as occurred_at, null::text as note, 'x' as order_note"
        )
    yield reader
    with warehouse.transaction("test") as cursor:
        cursor.execute("drop view source.till")


@pytest.mark.parametrize(
    ("query", "how"),
    [
        ("select record, hold_id, occurred_at from source.till", FileFormat()),
        ("select record, hold_id, note as state, occurred_at from source.till", FileFormat()),
        ("select record, order_note as hold_id, state, occurred_at from source.till", FileFormat()),
        (f"select {FACTS}, order_note as order_id from source.till", FileFormat()),
        (f"select {FACTS} from source.till", FileFormat(null_words=frozenset({"sent"}))),
        (f"select {FACTS} from source.till", FileFormat(columns={"state": None})),
    ],
)
def test_form_turns_no_fact_of_a_list_round(till: sqlalchemy.Engine, query: str, how: FileFormat) -> None:
    with pytest.raises(UnusableSource, match=r"under its own name|words for an empty cell|columns must be empty"):
        list(QuerySource(till, query, how, listed_only=True).chunks(RECORDS))


def test_form_reads_facts_as_a_list_has_them(till: sqlalchemy.Engine) -> None:
    [chunk] = QuerySource(till, f"select {FACTS}, note from source.till", listed_only=True).chunks(RECORDS)

    assert [(row.code("hold_id"), row.code("state")) for row in chunk.rows] == [("h", "sent")]
    elsewhere = sqlalchemy.create_engine("sqlite://")
    with pytest.raises(UnusableSource, match="only on Postgres"):
        list(QuerySource(elsewhere, "select 1 as record, 2 as occurred_at", listed_only=True).chunks(RECORDS))


@pytest.mark.parametrize(
    "query",
    [
        f"select {FACTS} from source.till group by grouping sets (({FACTS}), ({FACTS.replace(', state', '')}))",
        f"select {FACTS} from source.till group by rollup ({FACTS})",
        f"select {FACTS} from (select 1 as x) as one left join source.till on false",
        f"select {FACTS} from source.till union all select null, null, null, null",
        f"select {FACTS} from source.till except select null, null, null, null",
        f"select {FACTS} from (select 1 as x) as one, lateral (select * from source.till) as t",
    ],
)
def test_form_makes_no_fact_that_a_list_lacks(till: sqlalchemy.Engine, query: str) -> None:
    with pytest.raises(UnusableSource, match=r"rows that its list does not have|must be a column"):
        list(QuerySource(till, query, listed_only=True).chunks(RECORDS))


def test_long_name_of_a_list_is_counted_as_it_is_cut(reader: sqlalchemy.Engine, warehouse: Warehouse) -> None:
    name = "l" * 63
    with warehouse.transaction("test") as cursor:
        cursor.execute(
            f"create table source.{name} (phone text, birthday date); grant select on source.{name} to syrve_source"
        )
    try:
        with pytest.raises(UnusableSource, match="once"):
            read(reader, f"select g.phone, h.birthday from source.{name} g, source.{name}x h")
    finally:
        with warehouse.transaction("test") as cursor:
            cursor.execute(f"drop table source.{name}")


@pytest.mark.parametrize("guess", ["'Ivan' as name", "'1990-05-15' as birthday", "true as receives_promo"])
def test_query_of_a_form_guesses_nothing_of_a_person(reader: sqlalchemy.Engine, guess: str) -> None:
    guessing = QuerySource(reader, f"select phone, {guess} from source.guest", listed_only=True)

    with pytest.raises(UnusableSource, match="must be a column of a table or view"):
        next(guessing.chunks(CRM_COLUMNS))


def test_query_of_a_form_names_whom_a_view_lists(reader: sqlalchemy.Engine) -> None:
    assert phones(reader, LISTED, listed_only=True) == ["+79755550001"]
    assert phones(reader, "select t.phone from (select * from source.guest) as t", listed_only=True) == ["+79755550001"]
    with_psycopg_3 = sqlalchemy.create_engine(reader.url.set(drivername="postgresql+psycopg"))
    try:
        assert phones(with_psycopg_3, LISTED, listed_only=True) == ["+79755550001"]
        with pytest.raises(UnusableSource, match="must be a column of a table"):
            phones(with_psycopg_3, TYPED[0], listed_only=True)
    finally:
        with_psycopg_3.dispose()
