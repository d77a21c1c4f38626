"""Parameters mean the same whether Airflow renders them natively or as text."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG
from hypothesis import given
from hypothesis import strategies as st

from syrve.operators.rendered import as_flag, as_moment, as_number, as_text, as_texts
from syrve.operators.topup import SyrvePlanTopupOperator

ids = st.lists(st.uuids().map(str), max_size=4)


@given(values=ids)
def test_list_is_the_same_native_written_out_and_separated_by_commas(values: list[str]) -> None:
    assert as_texts(values) == as_texts(tuple(values)) == as_texts(str(values)) == as_texts(", ".join(values)) == values


@pytest.mark.parametrize("value", [None, [], "", "None", "[]", " ", [""]])
def test_nothing_is_an_empty_list(value: list[str] | str | None) -> None:
    assert as_texts(value) == []


@pytest.mark.parametrize("value", ["[1, 2]", "['a'", "[open('x')]", [uuid.UUID(int=1)]])
def test_list_of_anything_else_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text is Python's own where the list does not parse
        as_texts(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        ("True", True),
        ("true", True),
        ("1", True),
        (False, False),
        ("False", False),
        ("", False),
        (None, False),
    ],
)
def test_flag_is_read_from_its_word(value: bool | str | None, expected: bool) -> None:
    assert as_flag(value) is expected


def test_word_that_is_no_flag_is_refused() -> None:
    with pytest.raises(ValueError, match="must be true or false, not 'perhaps'"):
        as_flag("perhaps")


@pytest.mark.parametrize(
    ("value", "expected"), [(7, 7), ("7", 7), (" 7 ", 7), (None, None), ("None", None), ("", None), (0, 0)]
)
def test_number_may_be_absent(value: int | str | None, expected: int | None) -> None:
    assert as_number(value) == expected


@pytest.mark.parametrize(("value", "expected"), [("a", "a"), (42, "42"), (None, None), ("None", None), (" ", None)])
def test_text_may_be_absent(value: object, expected: str | None) -> None:
    assert as_text(value) == expected


@pytest.mark.parametrize("read", [as_number, as_moment])
@pytest.mark.parametrize("value", ["8 975 777-12-34", "Ivan", "9" * 5_000])
def test_value_that_cannot_be_read_is_not_repeated(read: Callable[[str], object], value: str) -> None:
    with pytest.raises(ValueError, match="must be") as refused:
        read(value)

    assert value not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    "typed", ["2026.10", "1_000", "0x10", "1e400", "{{ 9 }}", "[1", "True", "'a'", None, 5, ["2026.10"]]
)
def test_field_of_a_form_comes_as_it_was_typed(typed: Any) -> None:
    with DAG("dag", schedule=None, render_template_as_native_obj=True, params={"campaign": typed, "path": typed}):
        plan = SyrvePlanTopupOperator(
            task_id="plan",
            campaign="{{ params.campaign }}",
            path="{{ params.path }}",
            file_format={"sheet": "{{ params.path }}"},
        )

    context: Any = {"params": {"campaign": typed, "path": typed}}
    plan.render_template_fields(context)

    assert (plan.campaign, plan.path, plan.file_format) == (typed, typed, {"sheet": typed})
