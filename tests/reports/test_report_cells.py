"""What a report shows of a text, and what it withholds."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syrve.reports.cells import WITHHELD, id_only


@pytest.mark.parametrize(
    "text",
    [
        "stale_hold",
        "hold:0d5a7c1e-1111-4222-8333-123456789012",
        "till-7/2026-11-28#17",
        "A-1042",
        "2026-11-28T10:00:00Z",
        "SpringBonus2026",
    ],
)
def test_id_is_shown_as_it_is(text: str) -> None:
    assert id_only(text) == text


@pytest.mark.parametrize(
    "text",
    ["79750000001", "4915123456789", "375291234567", "phone:79750000001", "8-975-000-00-01", "975.000.0001"],
)
def test_digits_that_look_like_a_phone_are_withheld(text: str) -> None:
    assert id_only(text) == WITHHELD


@pytest.mark.parametrize("text", ["Ivanov", "Anna", "Anna-Maria", "Ivanov.I.", "Анна", "Anna Li"])
def test_text_that_looks_like_a_name_is_withheld(text: str) -> None:
    assert id_only(text) == WITHHELD


@given(st.uuids(), st.from_regex(r"[a-z_]{1,20}", fullmatch=True))
def test_uuid_is_shown_whatever_its_digits(value: uuid.UUID, prefix: str) -> None:
    assert id_only(str(value)) == str(value)
    assert id_only(f"{prefix.strip('_') or 'x'}:{value}") != WITHHELD


@given(st.from_regex(r"[1-9][0-9]{9,14}", fullmatch=True))
def test_e164_digits_are_withheld_whatever_they_are(digits: str) -> None:
    assert id_only(digits) == WITHHELD
