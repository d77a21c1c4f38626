"""A query of a form reads a list in one way, calls what is harmless, and takes no more memory than its bounds."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy

from syrve.crm.import_rows import COLUMNS as CRM_COLUMNS
from syrve.customers.identities import COLUMNS
from syrve.sources.columns import Columns
from syrve.sources.errors import UnusableSource
from syrve.sources.file_format import FileFormat
from syrve.sources.query import QuerySource
from syrve.sources.query_calls import check_calls
from syrve.sources.query_text import code_of
from syrve.wallet.importing import COLUMNS as RECORDS
from syrve.wallet.topup_list import COLUMNS as TOPUPS
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text

GUEST = "5f4e0007-0000-4000-8000-000000000001"
FACTS = "record, hold_id, state, occurred_at, amount"


@pytest.fixture
def form(warehouse: Warehouse, warehouse_dsn: str) -> Iterator[sqlalchemy.Engine]:
    """A login that may do what the queries of forms may, and lists for it."""
    with warehouse.transaction("test") as cursor:
        cursor.execute("drop role if exists test_form; create role test_form login in role syrve_source")
        cursor.execute(
            "create table source.promo (phone text, customer_id text, vip boolean, receives_promo boolean, letter text)"
        )
        cursor.execute(
            f"insert into source.promo values ('+79755550001', '{GUEST}', true, false, 'Ж'), ('+79755550002', null, true, false, 'a')"
        )
        cursor.execute(
            "create view source.receipt with (security_barrier) as select 'cancel_hold' as record, 'h' as hold_id, 'sent' as state,"
            " timestamp '2026-11-20 10:00'::timestamptz as occurred_at, 149.9::double precision as amount"
        )
        cursor.execute("grant select on source.promo, source.receipt to syrve_source")
    engine = sqlalchemy.create_engine(
        url_from_text(warehouse_dsn).set(username="test_form"), poolclass=sqlalchemy.NullPool
    )
    yield engine
    with warehouse.transaction("test") as cursor:
        cursor.execute("drop view source.receipt; drop table source.promo; drop role test_form")


def read(engine: sqlalchemy.Engine, query: str, columns: Columns, how: FileFormat | None = None) -> list[Any]:
    chunks = QuerySource(engine, query, how, listed_only=True).chunks(columns)
    return [row.cells for chunk in chunks for row in chunk.rows]


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("""select '+79750000001' as "'-phone" """, COLUMNS),
        ("""select '1990-05-15' as "'-birthday", phone from source.promo""", CRM_COLUMNS),
        (
            """select 'order' as "'-record", 'o1' as "'-order_id", 'cancelled' as "'-state", '2026-11-20' as "'=occurred_at" """,
            RECORDS,
        ),
        ("""select 'order' as record, 'o1' as order_id, 'cancelled' as state, '2026-11-20' as occurred_at""", RECORDS),
    ],
)
def test_heading_is_checked_as_it_is_read(form: sqlalchemy.Engine, query: str, columns: Columns) -> None:
    with pytest.raises(UnusableSource, match=r"must be a column of a table or view|has no column"):
        read(form, query, columns)


@pytest.mark.parametrize("call", ["set_config('extra_float_digits', '-14', true) <> ''", "lower(state) = 'sent'"])
def test_query_of_facts_calls_no_function(form: sqlalchemy.Engine, call: str) -> None:
    with pytest.raises(UnusableSource, match="may call no function"):
        read(form, f"select {FACTS} from source.receipt where {call}", RECORDS)


@pytest.mark.parametrize(
    "call",
    [
        "set_config('client_encoding', 'WIN1251', true) <> ''",
        "pg_catalog . set_config('timezone', 'UTC', true) <> ''",
        "\"set_config\"('timezone', 'UTC', true) <> ''",
        "set_config /* as */ ('timezone', 'UTC', true) <> ''",
        "'as' <> '' and set_config\n('timezone', 'UTC', true) <> ''",
        "query_to_xml('select 1', true, true, '') is not null",
        "repeat('x', 1000000) <> ''",
        "(8.0::float8).pg_sleep is null",
        "(8.0::float8) /* */ .pg_sleep is null",
        "(array[8.0::float8])[1].pg_sleep is null",
        "phone in (select set_config from rows from (set_config('timezone', 'UTC', true)) as set_config)",
    ],
)
def test_query_of_a_form_calls_what_is_harmless_only(form: sqlalchemy.Engine, call: str) -> None:
    with pytest.raises(UnusableSource, match=r"may call only functions that|may call a function"):
        read(form, f"select phone from source.promo where {call}", COLUMNS)


def test_query_of_a_form_may_call_what_is_harmless(form: sqlalchemy.Engine) -> None:
    query = "select g.phone from source.promo as g (phone) where lower(trim(g.phone)) in ('x', '+79755550001') and (true) -- set_config("

    assert len(read(form, query, COLUMNS)) == 1
    assert len(read(form, f"select {FACTS} from source.receipt where (state in ('sent'))", RECORDS)) == 1
    check_calls(code_of("select cast(x as numeric(3)) from (values (1)) as t (x)"), of_facts=True)


@pytest.mark.parametrize(
    ("name", "value"), [("TimeZone", "Asia/Tokyo"), ("extra_float_digits", "-14"), ("DateStyle", "German")]
)
def test_settings_are_those_that_a_query_began_with(form: sqlalchemy.Engine, name: str, value: str) -> None:
    """A saved query may call anything: what it sets is not left so."""
    columns = Columns(("phone", "name"))
    query = (
        f"select set_config('{name}', '{value}', true) as name, null as phone from generate_series(1, 300)"
        f" union all select current_setting('{name}'), 'last'"
    )

    with form.connect() as connection:
        begun_with = connection.exec_driver_sql(f"select current_setting('{name}')").scalar_one()

    cells = [row.cells for chunk in QuerySource(form, query).chunks(columns) for row in chunk.rows]

    assert begun_with != value
    assert [each["name"] for each in cells if each["phone"]] == [begun_with]


def test_text_in_another_encoding_is_told_without_its_bytes(form: sqlalchemy.Engine) -> None:
    setting = "select phone, set_config('client_encoding', 'WIN1251', true) as x, letter as name from source.promo"
    source = QuerySource(form, f"select name, phone, x from ({setting}) as t", None)

    with pytest.raises(UnusableSource, match="cannot be read") as caught:
        [row for chunk in source.chunks(Columns(("phone", "name", "x"))) for row in chunk.rows]
    assert "0x" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_query_that_renames_gives_no_consent(form: sqlalchemy.Engine) -> None:
    assert len(read(form, "select phone, receives_promo from source.promo", CRM_COLUMNS)) == 2
    for renamed in ("vip as receives_promo", "vip as wanted", "letter as clear"):
        with pytest.raises(UnusableSource, match="must have that name in its table or view"):
            read(form, f"select phone, {renamed} from source.promo", CRM_COLUMNS)
    mapped = FileFormat(columns={"vip": "receives_promo", "receives_promo": None})
    with pytest.raises(UnusableSource, match="map no heading to receives_promo"):
        read(form, "select phone, vip, receives_promo from source.promo", CRM_COLUMNS, mapped)


@pytest.mark.parametrize("typed", ["customer_id", "wallet_id"])
def test_typed_id_is_paired_with_no_phone_of_a_list(form: sqlalchemy.Engine, typed: str) -> None:
    query = f"select '{GUEST}' as {typed}, phone, 1 as amount from source.promo where phone like '+7975%'"

    with pytest.raises(UnusableSource, match=f"^{typed} of the query must be a column"):
        read(form, query, TOPUPS)
    assert len(read(form, "select customer_id, phone, 1 as amount from source.promo", TOPUPS)) == 2
    assert len(read(form, f"select '{GUEST}' as customer_id, 1 as amount", TOPUPS)) == 1


def test_unread_cells_of_a_query_do_not_come(form: sqlalchemy.Engine) -> None:
    query = "select phone, repeat('x', 100000000) as junk from source.promo"

    [chunk] = QuerySource(form, query).chunks(COLUMNS)

    assert [len(str(row.all_cells)) < 1_000 for row in chunk.rows] == [True, True]


def test_cell_of_a_query_has_a_bound(form: sqlalchemy.Engine) -> None:
    for long in ("repeat('x', 100001)", "repeat('x', 500000000)"):
        with pytest.raises(UnusableSource, match="a cell of row 2 is longer than 100,000 bytes"):
            list(QuerySource(form, f"values ('1'), ({long})").chunks(Columns(("column1",))))


def test_chunk_ends_early_where_its_cells_are_long(form: sqlalchemy.Engine) -> None:
    query = "select repeat('x', 90000) as phone from generate_series(1, 400)"

    chunks = [len(chunk.rows) for chunk in QuerySource(form, query).chunks(COLUMNS)]

    assert sum(chunks) == 400
    assert max(chunks) < 200


@pytest.mark.parametrize(
    "query", ["select phone from source.promo) as x union (select 1", "select (1 as phone", "select 1) as phone"]
)
def test_parentheses_of_a_query_are_its_own(form: sqlalchemy.Engine, query: str) -> None:
    with pytest.raises(UnusableSource, match="parenthesis"):
        list(QuerySource(form, query).chunks(COLUMNS))


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        (f"select {FACTS} from source.receipt where state <> 'sent'", RECORDS),
        (f"select {FACTS} from source.receipt order by amount fetch first 0 rows only", RECORDS),
        (f"select {FACTS} from source.receipt limit 0", RECORDS),
        ("select phone, receives_promo from source.promo where receives_promo", CRM_COLUMNS),
        ("select phone, 5 as amount from source.promo limit 0", TOPUPS),
    ],
)
def test_query_of_a_form_may_leave_rows_of_its_list_out(form: sqlalchemy.Engine, query: str, columns: Columns) -> None:
    assert read(form, query, columns) == []
