"""Values as people write them: what is read, and what is refused because it could be read in two ways or has lost digits."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from syrve.sources.errors import BadRow
from syrve.sources.row import Row, ValueRules

MOSCOW = timezone(timedelta(hours=3))
REFUSED = "refused"


def read(value: Any, reader: Callable[[Row, str], Any], **rules: Any) -> Any:
    try:
        return reader(Row(1, {"x": value}, ValueRules(**rules)), "x")
    except BadRow as problem:
        return REFUSED if str(problem).startswith("x ") else str(problem)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", "5"),
        ("5.5", "5.5"),
        ("5,50", "5.50"),
        ("-7,25", "-7.25"),
        ("+3", "3"),
        ("0,500", "0.500"),
        ("1234,500", "1234.500"),
        ("1 000", "1000"),
        ("1 000,5", "1000.5"),
        ("1\u00a0000\u00a0000", "1000000"),
        ("1,000.50", "1000.50"),
        ("1.000,50", "1000.50"),
        ("1,000,000", "1000000"),
        ("1'000.5", "1000.5"),
        ("9007199254740993", "9007199254740993"),
        ("0.1", "0.1"),
        ("1,000", REFUSED),
        ("1.000", REFUSED),
        ("1,500", REFUSED),
        ("1_000", REFUSED),
        ("1e3", REFUSED),
        ("1E+3", REFUSED),
        ("100 ₽", REFUSED),
        ("١٢", REFUSED),
        ("1,00,000", REFUSED),
        ("1,000,00", REFUSED),
        ("1.000.00", REFUSED),
        ("nan", REFUSED),
        ("Infinity", REFUSED),
        ("5-", REFUSED),
        ("--5", REFUSED),
        ("0x10", REFUSED),
        ("5.", REFUSED),
        (".", REFUSED),
        ("да", REFUSED),
    ],
)
def test_amount_is_exact_or_refused(text: str, expected: str) -> None:
    found = read(text, Row.amount)
    assert found == (REFUSED if expected == REFUSED else Decimal(expected))


@pytest.mark.parametrize(
    ("text", "mark", "expected"),
    [
        ("1,000", ",", "1.000"),
        ("1,000", ".", "1000"),
        ("1.000", ".", "1.000"),
        ("1.000", ",", "1000"),
        ("1.000,5", ".", None),
    ],
)
def test_stated_decimal_mark_settles_what_is_ambiguous(text: str, mark: str, expected: str | None) -> None:
    assert read(text, Row.amount, decimal_mark=mark) == (Decimal(expected) if expected else REFUSED)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, Decimal(7)),
        (Decimal("12345678901234567.89"), Decimal("12345678901234567.89")),
        (0.1, Decimal("0.1")),
        (float("nan"), None),
        (Decimal("NaN"), None),
        (True, REFUSED),
        ([1], REFUSED),
    ],
)
def test_number_of_a_typed_source_is_exact(value: Any, expected: Any) -> None:
    assert read(value, Row.amount) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("000123", "000123"),
        ('="000123"', "000123"),
        ("'000123", "000123"),
        (" 77 ", "77"),
        ("5E12", "5E12"),
        ("", None),
        ("1.23457E+15", REFUSED),
        ("1,23457E+15", REFUSED),
        ("1,234,567", REFUSED),
        ("4E+15", REFUSED),
        ("4276123456789012.0", REFUSED),
        ("79161234567,00", REFUSED),
        (79161234567, "79161234567"),
        (79161234567.0, "79161234567"),
        (Decimal("79161234567.00"), "79161234567"),
        (2**62 + 1, str(2**62 + 1)),
        (1.5, REFUSED),
        (Decimal("1.5"), REFUSED),
        (1e15, REFUSED),
        (9.007199254740993e15, REFUSED),
        (b"000124", "000124"),
        (b"\xff", REFUSED),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        ({}, REFUSED),
        (date(2026, 1, 2), REFUSED),
        (datetime(2026, 1, 2, tzinfo=UTC), REFUSED),
        (True, REFUSED),
        ("NULL", REFUSED),
        ("\\N", REFUSED),
    ],
)
def test_code_keeps_every_character_or_is_refused(value: Any, expected: Any) -> None:
    assert read(value, Row.code) == expected


@pytest.mark.parametrize("word", ["Null", "null", "NA", "N/A", "None", "nan", "-", "нет"])
def test_word_that_is_a_name_stays_one(word: str) -> None:
    assert read(word, Row.text) == word


def test_only_stated_words_mean_an_empty_cell() -> None:
    assert read("NULL", Row.text) == REFUSED
    assert read("NULL", Row.text, null_words=frozenset({"NULL"})) is None
    assert read("Null", Row.text, null_words=frozenset({"NULL"})) == "Null"
    assert read("-", Row.day, null_words=frozenset({"-"})) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u00a0b", "a b"),
        ("\u200ba\u200b", "a"),
        ("a\x00b", "ab"),
        ("a\tb", "a b"),
        ("a\r\nb", "a  b"),
        ("\u202aa\u202c", "a"),
        ("\ufeffa", "a"),
        ("a\u00adb", "ab"),
        ("\u3000a\u2009", "a"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("a  b", "a  b"),
        ("\u200b\u00a0\t", None),
        ("a\ufffdb", REFUSED),
        ("a" + chr(0xD800), REFUSED),
        ("\x1b[1m", "[1m"),
        ("Ёжик", "Ёжик"),
        ("👩\u200d👧", "👩\u200d👧"),
    ],
)
def test_invisible_characters_have_one_treatment(text: str, expected: str | None) -> None:
    assert read(text, Row.text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1990-05-15", date(1990, 5, 15)),
        ("15.05.1990", date(1990, 5, 15)),
        ("5.5.1990", date(1990, 5, 5)),
        ("15.05.1990 0:00:00", date(1990, 5, 15)),
        ("1990-05-15T00:00:00", date(1990, 5, 15)),
        ("1990-05-15T13:30:00", date(1990, 5, 15)),
        ("1990-05-15T00:00:00+03:00", date(1990, 5, 15)),
        ("0001-01-01", None),
        ("01.01.0001 0:00:00", None),
        ("0001-01-01T00:00:00Z", None),
        ("00.00.0000", None),
        ("0000-00-00", None),
        ("1900-01-00", None),
        (date(1990, 5, 15), date(1990, 5, 15)),
        (datetime(1990, 5, 15, 0, 0, tzinfo=MOSCOW), date(1990, 5, 15)),
        (datetime(1, 1, 1, tzinfo=UTC), None),
        (datetime(1990, 5, 14, 21, 0, tzinfo=UTC), REFUSED),
        ("1990-05-14T21:00:00Z", REFUSED),
        ("01/02/1990", REFUSED),
        ("32873", REFUSED),
        (32873, REFUSED),
        ("31.02.1990", REFUSED),
        ("15.05.90", REFUSED),
        ("19900515", REFUSED),
        ("1990-W20-2", REFUSED),
        ("yesterday", REFUSED),
    ],
)
def test_day_is_the_one_that_was_written_or_refused(value: Any, expected: Any) -> None:
    assert read(value, Row.day) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-05-01T10:00:00Z", datetime(2026, 5, 1, 10, tzinfo=UTC)),
        ("2026-05-01T10:00:00+03:00", datetime(2026, 5, 1, 7, tzinfo=UTC)),
        ("2026-05-01 10:00", datetime(2026, 5, 1, 10, tzinfo=UTC)),
        ("01.05.2026 10:00:30", datetime(2026, 5, 1, 10, 0, 30, tzinfo=UTC)),
        ("01.01.0001 0:00:00", None),
        ("10:00", REFUSED),
        ("20260501", REFUSED),
    ],
)
def test_moment_without_an_offset_is_in_utc(value: Any, expected: Any) -> None:
    assert read(value, Row.moment) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("да", True),
        ("Нет", False),
        ("YES", True),
        ("0", False),
        (True, True),
        (0, False),
        (1.0, True),
        ("ИСТИНА", True),
        ("", None),
        ("1.0", REFUSED),
        ("perhaps", REFUSED),
    ],
)
def test_yes_and_no_are_read_in_russian_and_english(value: Any, expected: Any) -> None:
    assert read(value, Row.flag) == expected
