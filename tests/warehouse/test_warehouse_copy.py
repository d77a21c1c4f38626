"""Rows written for COPY come back from a real Postgres as they were."""

import enum
import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstack.postgres import PostgresServer
from syrve.values import storable_json, storable_text
from syrve.warehouse.copy_text import CHUNK_CHARACTERS, copy_line, copy_lines, copy_value, json_text
from syrve.warehouse.database import Connection, Cursor, Warehouse, transaction
from syrve.warehouse.errors import WarehouseError

COLUMNS = ("words", "amount", "day", "moment", "flag", "document", "digest", "id")
TABLE = """
    create temporary table copied (
        line integer generated always as identity, words text, amount numeric, day date, moment timestamptz, flag boolean,
        document jsonb, digest bytea, id uuid
    ) on commit delete rows
"""

WORDS = st.text(st.characters(exclude_categories=())).map(storable_text)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
).map(storable_json)
DOCUMENTS = st.dictionaries(WORDS, JSON, max_size=3) | st.lists(JSON, max_size=3)
MOMENTS = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
ROWS = st.tuples(
    *(
        st.none() | values
        for values in (
            WORDS,
            NUMBERS,
            st.dates(),
            MOMENTS,
            st.booleans(),
            DOCUMENTS,
            st.binary(max_size=20),
            st.uuids(),
        )
    )
)


@pytest.fixture
def copying(lasting_warehouse: Warehouse) -> Iterator[Connection]:
    with lasting_warehouse.connect() as connection:
        with transaction(connection, "make a table") as cursor:
            cursor.execute(TABLE)
        yield connection


def exact(text: str | None) -> Any:
    return None if text is None else json.loads(text, parse_float=Decimal)


def copied(connection: Connection, rows: Sequence[Sequence[object]]) -> list[tuple[Any, ...]]:
    """The rows as Postgres has them after COPY."""
    with transaction(connection, "copy") as cursor:
        copy_lines(cursor, "copied", COLUMNS, (copy_line(row) for row in rows))
        cursor.execute(
            "select words, amount, day, moment, flag, document::text, digest, id::text from copied order by line"
        )
        return [
            (
                words,
                amount,
                day,
                moment,
                flag,
                exact(document),
                None if digest is None else bytes(digest),
                id_ and UUID(id_),
            )
            for words, amount, day, moment, flag, document, digest, id_ in cursor.fetchall()
        ]


def test_any_storable_row_comes_back_as_it_was(copying: Connection) -> None:
    @given(rows=st.lists(ROWS, max_size=4))
    def check(rows: list[tuple[Any, ...]]) -> None:
        assert copied(copying, rows) == rows

    check()


@pytest.mark.parametrize(
    "words",
    [
        "",
        " ",
        "\\",
        "\\N",
        "\\.",
        "\\\\.",
        "\t",
        "\n",
        "\r\n",
        "a\tb\nc\\d",
        "\x08\x0b\x0c\x1b",
        "\u2028",
        "😀",
        "null",
        "'\"$$",
    ],
)
def test_text_that_means_something_to_copy_is_text_all_the_same(copying: Connection, words: str) -> None:
    row = (words, None, None, None, None, {"key": words}, None, None)

    assert copied(copying, [row]) == [row]


@pytest.mark.parametrize("words", ["", "\\.", "\n"])
def test_row_of_a_single_column_is_copied_even_when_its_text_is_empty(copying: Connection, words: str) -> None:
    with transaction(copying, "copy") as cursor:
        copy_lines(cursor, "copied", ["words"], [copy_line([words])])
        cursor.execute("select words from copied")

        assert cursor.fetchall() == [(words,)]


def test_nothing_to_copy_is_no_statement_at_all(copying: Connection) -> None:
    with transaction(copying, "copy") as cursor:
        copy_lines(cursor, "no_such_table", ["words"], [])
        cursor.execute("select 1")

        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize("text", ["123456789012345678.9012", "0.10", "-0.30", "1E+25", "1E-20"])
def test_amount_keeps_every_digit(copying: Connection, text: str) -> None:
    ((_, amount, *_),) = copied(copying, [(None, Decimal(text), None, None, None, None, None, None)])

    assert amount == Decimal(text)


def test_tenths_add_up_in_postgres(copying: Connection) -> None:
    with transaction(copying, "copy") as cursor:
        copy_lines(cursor, "copied", ["amount"], [copy_line([Decimal("0.1")]), copy_line([Decimal("0.2")])])
        cursor.execute("select sum(amount) = 0.3 from copied")

        assert cursor.fetchone() == (True,)


@pytest.mark.parametrize("day", [date.min, date.max])
def test_first_and_last_day_of_the_calendar_are_days(copying: Connection, day: date) -> None:
    ((_, _, found, *_),) = copied(copying, [(None, None, day, None, None, None, None, None)])

    assert found == day


@given(value=DOCUMENTS)
def test_equal_documents_give_equal_text(value: Any) -> None:
    def turned(each: Any) -> Any:
        if isinstance(each, dict):
            return {key: turned(each[key]) for key in reversed(each)}
        return [turned(item) for item in each] if isinstance(each, list) else each

    assert json_text(turned(value)) == json_text(value)


@given(value=DOCUMENTS)
def test_document_keeps_its_numbers_exact(value: Any) -> None:
    assert exact(json_text(value)) == value


class _Word(enum.StrEnum):
    TABBED = "a\tb"


class _Day(date):
    """A date of another class, as test clocks and data frames have them."""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\\N"),
        (True, "t"),
        (False, "f"),
        (7, "7"),
        ("a\\b\n", "a\\\\b\\n"),
        (_Word.TABBED, "a\\tb"),
        (Decimal("1E+3"), "1000"),
        (_Day(2026, 1, 31), "2026-01-31"),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00+00:00"),
        (b"\x00\xff", "\\\\x00ff"),
        ({}, "{}"),
        ([], "[]"),
        ({"b": Decimal("0.10"), "a": "\t"}, '{"a":"\\\\t","b":0.10}'),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_value_is_written_by_its_kind(value: object, text: str) -> None:
    assert copy_value(value) == copy_line([value]) == text


# streaming


def long_lines(count: int) -> Iterator[str]:
    for number in range(count):
        yield copy_line([f"{number} ".ljust(CHUNK_CHARACTERS // 4, "x")])


def numbers_copied(cursor: Cursor) -> list[int]:
    cursor.execute("select split_part(words, ' ', 1)::integer from copied order by line")
    return [number for (number,) in cursor.fetchall()]


def test_rows_arrive_all_and_in_order_wherever_a_chunk_ends(copying: Connection) -> None:
    lengths = st.sampled_from(
        [0, 1, CHUNK_CHARACTERS - 2, CHUNK_CHARACTERS - 1, CHUNK_CHARACTERS, 2 * CHUNK_CHARACTERS]
    )

    @settings(max_examples=40)
    @given(lengths=st.lists(lengths, max_size=5))
    def check(lengths: list[int]) -> None:
        with transaction(copying, "copy") as cursor:
            copy_lines(cursor, "copied", ["words"], (copy_line(["я" * length]) for length in lengths))
            cursor.execute("select length(words) from copied order by line")

            assert [length for (length,) in cursor.fetchall()] == lengths

    check()


def test_postgres_takes_rows_in_while_others_are_still_being_made(
    copying: Connection, lasting_warehouse: Warehouse
) -> None:
    def rows_taken_in() -> int:
        with lasting_warehouse.transaction("watch") as watching:
            watching.execute(
                "select tuples_processed from pg_stat_progress_copy where pid = %s", [copying.info.backend_pid]
            )
            return sum(processed for (processed,) in watching.fetchall())

    def lines() -> Iterator[str]:
        yield from long_lines(40)
        give_up_at = time.monotonic() + 30
        while rows_taken_in() < 30:
            assert time.monotonic() < give_up_at, "Postgres waits for the end"
        yield copy_line(["40 "])

    with transaction(copying, "copy") as cursor:
        copy_lines(cursor, "copied", ["words"], lines())

        assert numbers_copied(cursor) == list(range(41))


class _Stop(BaseException):
    """Like a signal that ends the task."""


@pytest.mark.parametrize("rows_before", [0, 1, 50])
@pytest.mark.parametrize("kind", [ValueError, _Stop])
def test_what_the_rows_raise_ends_the_copy_and_is_raised_as_it_is(
    copying: Connection, postgres_server: PostgresServer, kind: type[BaseException], rows_before: int
) -> None:
    failure = kind("canary 7f3a")

    def lines() -> Iterator[str]:
        yield from long_lines(rows_before)
        raise failure

    with pytest.raises(kind) as caught, transaction(copying, "copy") as cursor:
        copy_lines(cursor, "copied", ["words"], lines())

    assert caught.value is failure
    with transaction(copying, "look") as cursor:
        assert numbers_copied(cursor) == []
    assert "canary 7f3a" not in postgres_server.log.read_text()


def test_row_that_postgres_refuses_is_its_error_however_many_follow(copying: Connection) -> None:
    with (
        pytest.raises(WarehouseError, match=r"copy: InvalidDatetimeFormat \(22007\)"),
        transaction(copying, "copy") as cursor,
    ):
        copy_lines(cursor, "copied", ["day"], ["no day", *long_lines(50)])

    with transaction(copying, "look") as cursor:
        assert numbers_copied(cursor) == []
