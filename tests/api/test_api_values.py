"""What Postgres can hold of what JSON can say."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syrve.values import MAX_NESTING, MAX_NUMBER_DIGITS, storable_json, storable_text

ANY_TEXT = st.text(st.characters(exclude_categories=()))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
)


@given(text=ANY_TEXT)
def test_storable_text_has_no_nul_and_is_valid_utf_8(text: str) -> None:
    stored = storable_text(text)

    assert "\x00" not in stored
    assert stored.encode("utf-8").decode("utf-8") == stored
    assert storable_text(stored) is stored


@given(text=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_text_that_is_storable_already_is_left_as_it_is(text: str) -> None:
    assert storable_text(text) is text


def test_nul_is_removed_and_a_lone_surrogate_replaced() -> None:
    assert storable_text("a\x00b\ud83dc") == "ab\ufffdc"


def test_surrogates_that_belong_together_become_their_character() -> None:
    assert storable_text("\ud83d\ude00") == "\U0001f600"


@given(value=ANY_JSON)
def test_storable_json_stays_so(value: Any) -> None:
    stored = storable_json(value)

    assert storable_json(stored) == stored
    assert "\\u0000" not in json.dumps(stored, default=str)


@pytest.mark.parametrize(
    "number", [0, -1, 10**29, Decimal("0.30"), Decimal("123456789012345678.9012"), Decimal("1E+30")]
)
def test_number_of_usual_size_stays_a_number(number: Decimal | int) -> None:
    assert storable_json({"a": [number]}) == {"a": [number]}


@pytest.mark.parametrize("text", ["1E+999999", "1E-999999", "9" * (MAX_NUMBER_DIGITS + 1), "0." + "1" * 40])
def test_number_beyond_measure_becomes_its_text(text: str) -> None:
    assert storable_json([Decimal(text)]) == [text]


def test_flag_is_no_number() -> None:
    assert storable_json([True, False, None]) == [True, False, None]


def test_nesting_is_allowed_up_to_its_limit() -> None:
    def nested(depth: int) -> Any:
        return [nested(depth - 1)] if depth else 1

    assert storable_json(nested(MAX_NESTING)) == nested(MAX_NESTING)
    with pytest.raises(ValueError, match="nested too deeply"):
        storable_json(nested(MAX_NESTING + 1))
