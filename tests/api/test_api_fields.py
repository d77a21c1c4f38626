"""Reading single fields: what can be put right is, what cannot is noted, and nothing is guessed."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syrve.api.decode import parse_json
from syrve.api.fields import MAX_TEXT_LENGTH, BadField, FieldReader
from syrve.api.models import FieldProblem
from syrve.values import MAX_NUMBER_DIGITS

MOSCOW = ZoneInfo("Europe/Moscow")


def reader(value: Any, time_zone: Any = UTC) -> FieldReader:
    return FieldReader({"field": value}, path="record", time_zone=time_zone, problems=[])


def problems(read: FieldReader) -> list[tuple[str, bool]]:
    return [(each.problem, each.lossy) for each in read.problems]


# text


@given(
    text=st.text(
        st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=MAX_TEXT_LENGTH
    )
)
def test_text_is_read_as_it_is(text: str) -> None:
    read = reader(text)

    assert read.text("field") == text
    assert read.problems == []


@given(text=st.text(st.characters(exclude_categories=()), max_size=2 * MAX_TEXT_LENGTH))
def test_any_text_becomes_one_that_postgres_can_hold(text: str) -> None:
    stored = reader(text).text("field")

    assert stored is None or (0 < len(stored) <= MAX_TEXT_LENGTH and "\x00" not in stored)
    assert (stored or "").encode("utf-8").decode("utf-8") == (stored or "")


@pytest.mark.parametrize("value", [None, ""])
def test_empty_text_is_none_and_no_problem(value: Any) -> None:
    read = reader(value)

    assert read.text("field") is None
    assert read.problems == []


def test_endless_text_is_cut_and_its_beginning_kept() -> None:
    read = reader("a" * 5000)

    assert read.text("field") == "a" * MAX_TEXT_LENGTH
    assert read.problems == [FieldProblem("record.field", "is longer than 1000 characters, cut", True, "a" * 200)]


@pytest.mark.parametrize(("value", "text"), [(7, "7"), (Decimal("7.50"), "7.50")])
def test_number_in_place_of_text_is_its_text(value: Any, text: str) -> None:
    read = reader(value)

    assert read.text("field") == text
    assert problems(read) == [("is a number, not text", False)]


@pytest.mark.parametrize("value", [True, {}, {"a": 1}, [], ["a"]])
def test_what_is_no_text_is_none_and_a_loss(value: Any) -> None:
    read = reader(value)

    assert read.text("field") is None
    assert problems(read) == [("is not text", True)]


# ids


@given(value=st.uuids())
def test_uuid_is_read_in_its_canonical_form_however_it_is_written(value: Any) -> None:
    for text in (str(value), str(value).upper(), value.hex, f"{{{value}}}"):
        assert reader(text).uuid("field") == reader(text).required_uuid("field") == str(value)


@pytest.mark.parametrize("value", [7, "", None, "42", [], True, "x" * 36])
def test_record_without_a_usable_id_is_refused(value: Any) -> None:
    with pytest.raises(BadField, match=r"^record\.field is (missing|not a uuid)$"):
        reader(value).required_uuid("field")


# numbers

WRITTEN_NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,8})?", fullmatch=True)


@given(text=WRITTEN_NUMBERS)
def test_money_is_exactly_what_the_answer_says(text: str) -> None:
    value = parse_json(f'{{"field": {text}}}'.encode())["field"]
    read = reader(value)

    money = read.money("field")

    assert money == Decimal(text)
    assert money.as_tuple().exponent == Decimal(text).as_tuple().exponent
    assert read.problems == []


@given(text=WRITTEN_NUMBERS)
def test_money_given_as_text_is_the_same_and_is_noted(text: str) -> None:
    read = reader(f" {text} ")

    assert read.money("field") == Decimal(text)
    assert problems(read) == [("is a number given as text", False)]


@given(
    value=st.one_of(
        st.none(),
        st.booleans(),
        st.text(),
        st.integers(),
        st.decimals(),
        st.lists(st.integers(), max_size=2),
        st.floats(),
    )
)
def test_money_is_a_finite_number_of_storable_size_or_refused(value: Any) -> None:
    with suppress(BadField):
        money = reader(value).money("field")

        assert money.is_finite()
        assert len(money.as_tuple().digits) <= MAX_NUMBER_DIGITS
        assert abs(money.adjusted()) <= MAX_NUMBER_DIGITS


def test_binary_fraction_is_never_taken_for_money() -> None:
    with pytest.raises(BadField, match="is not a number"):
        reader(0.1).money("field")


@pytest.mark.parametrize("text", ["1e99999999999999999999", "9" * 5000, "-" + "9" * 5000])
def test_number_beyond_what_can_be_computed_with_is_refused_as_money_and_stops_nothing_else(text: str) -> None:
    record = parse_json(f'{{"field": {text}, "other": 0.30}}'.encode())

    with pytest.raises(BadField, match="is not a number"):
        FieldReader(record, problems=[]).money("field")
    assert record["other"] == Decimal("0.30")


@pytest.mark.parametrize(("value", "number"), [(1, 1), (Decimal("1.0"), 1), ("4", 4), (None, None), ("", None)])
def test_type_is_a_small_whole_number(value: Any, number: int | None) -> None:
    assert reader(value).integer("field") == number


@pytest.mark.parametrize("value", [Decimal("1.5"), 2**31, -(2**31), "much", True, [1]])
def test_type_that_is_no_small_whole_number_is_none_and_a_loss(value: Any) -> None:
    read = reader(value)

    assert read.integer("field") is None
    assert [each.lossy for each in read.problems] == [True]


# flags


@pytest.mark.parametrize(
    ("value", "flag"),
    [(True, True), (False, False), (None, None), ("true", True), ("No", False), (1, True), ("0", False)],
)
def test_flag_is_read_as_flag_word_or_number(value: Any, flag: bool | None) -> None:
    assert reader(value).boolean("field") is flag


@pytest.mark.parametrize("value", ["maybe", 2, [], {}, ""])
def test_flag_that_is_none_of_these_is_unknown_and_a_loss(value: Any) -> None:
    read = reader(value)

    assert read.boolean("field") is None
    assert problems(read) == [("is not a flag", True)]


# times

MOMENTS = st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29))  # noqa: DTZ001
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(moment=MOMENTS, zone=ZONES, separator=st.sampled_from("T "))
def test_moment_with_an_offset_is_that_moment_in_utc(moment: datetime, zone: timezone, separator: str) -> None:
    aware = moment.replace(tzinfo=zone)

    read = reader(aware.isoformat(separator)).moment("field")

    assert read == aware
    assert read is not None
    assert read.tzinfo is UTC


@given(moment=MOMENTS)
def test_moment_without_an_offset_is_in_the_time_zone_of_the_connection(moment: datetime) -> None:
    read = reader(moment.isoformat(" "), MOSCOW).moment("field")

    assert read == moment.replace(tzinfo=MOSCOW).astimezone(UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2017-04-29 20:45:00.000",
        "2017-04-29T20:45:00",
        "2017-04-29T17:45:00Z",
        "2017-04-29T20:45:00+03:00",
        " 2017-04-29 20:45 ",
    ],
)
def test_every_form_in_use_means_the_same_moment(text: str) -> None:
    assert reader(text, MOSCOW).moment("field") == datetime(2017, 4, 29, 17, 45, tzinfo=UTC)


@pytest.mark.parametrize("text", ["1990-05-15", "1990-05-15 00:00:00.000", "1990-05-15T00:00:00Z", " 1990-05-15 "])
def test_day_is_read_from_a_date_with_or_without_a_time(text: str) -> None:
    assert reader(text).day("field") == date(1990, 5, 15)


@pytest.mark.parametrize("value", ["1990-02-30", "yesterday", "0000-00-00", 19900515, True, [], {}, "10000-01-01"])
def test_impossible_time_is_none_and_what_came_is_kept(value: Any) -> None:
    read = reader(value)

    assert read.day("field") is None
    assert read.moment("field") is None
    assert [(each.lossy, each.value) for each in read.problems] == [(True, str(value))] * 2


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00", "0001-01-01", "01.01.0001 0:00:00", "0001-01-01T00:00:00+14:00"]
)
def test_first_time_of_dotnet_is_no_time_and_no_problem(text: str) -> None:
    read = reader(text)

    assert (read.moment("field"), read.day("field")) == (None, None)
    assert problems(read) == []


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-14:00", "9999-12-31T20:00:00-05:00"])
def test_moment_that_utc_cannot_say_is_impossible(text: str) -> None:
    read = reader(text)

    assert read.moment("field") is None
    assert problems(read) == [("is not a possible time", True)]


@given(text=st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(Z|\+[0-9]{2}:[0-9]{2})?"))
def test_no_text_whatever_breaks_the_reader_of_times(text: str) -> None:
    read = reader(text, MOSCOW)

    found = (read.day("field"), read.moment("field"))

    assert found != (None, None) or not text.strip() or read.problems


# lists


@pytest.mark.parametrize(("value", "count"), [(None, 0), ([], 0), ([{}], 1), ([{"a": 1}, {}], 2)])
def test_list_of_objects_is_read_and_a_missing_one_is_empty(value: Any, count: int) -> None:
    assert len(reader(value).objects("field")) == count


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({}, "record.field is not a list"),
        ("", "record.field is not a list"),
        (0, "record.field is not a list"),
        ([{}, 7], "record.field[1] is not an object"),
        ([None], "record.field[0] is not an object"),
    ],
)
def test_list_that_is_something_else_is_refused(value: Any, problem: str) -> None:
    with pytest.raises(BadField) as caught:
        reader(value).objects("field")

    assert str(caught.value) == problem


def test_value_of_a_problem_does_not_show_in_its_text() -> None:
    read = reader("canary")
    read.day("field")

    assert "canary" not in repr(read.problems)
