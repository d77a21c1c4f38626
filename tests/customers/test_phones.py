"""Phone numbers become E.164, or are refused; nothing is guessed."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syrve.customers.phones import to_e164

REGIONS = ("RU", "KZ", "DE", "GB", "US", "IT", "AE")
ANY_TEXT = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="+0123456789 ()-./;,extABC#*٣", max_size=30),
    st.integers(min_value=0, max_value=10**16).map(str),
    st.integers(min_value=0, max_value=10**16).map("+{}".format),
)


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("8 (916) 123-45-67", "RU", "+79161234567"),
        ("9161234567", "RU", "+79161234567"),
        ("79161234567", "RU", "+79161234567"),
        ("+7 916 123 45 67", "DE", "+79161234567"),
        ("8 701 123 45 67", "KZ", "+77011234567"),
        ("0151 23456789", "DE", "+4915123456789"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("(202) 555-0143", "US", "+12025550143"),
        ("06 698 12345", "IT", "+390669812345"),
        ("050 123 4567", "AE", "+971501234567"),
    ],
)
def test_national_form_is_read_by_the_region(text: str, region: str, expected: str) -> None:
    assert to_e164(text, region) == expected


@pytest.mark.parametrize(
    "text", ["", "none", "12345", "+", "+999123456789", "8916123456789012", "8 916 123-45-67 ext. 12"]
)
def test_what_is_no_possible_number_is_refused(text: str) -> None:
    assert to_e164(text, "RU") is None


def test_local_number_without_its_area_code_is_refused() -> None:
    assert to_e164("555-0143", "US") is None


@given(text=ANY_TEXT, region=st.sampled_from(REGIONS))
def test_any_text_gives_a_number_that_normalises_to_itself_or_nothing(text: str, region: str) -> None:
    number = to_e164(text, region)

    if number is not None:
        assert number.startswith("+")
        assert number[1:].isascii()
        assert number[1:].isdigit()
        assert to_e164(number, region) == number


@given(region=st.sampled_from(REGIONS), data=st.data())
def test_every_way_of_writing_a_number_gives_the_same(region: str, data: st.DataObject) -> None:
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    form = data.draw(
        st.sampled_from([phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.NATIONAL])
    )
    padding = data.draw(st.sampled_from(["", " ", "\t", "\u00a0"]))

    expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    assert to_e164(padding + phonenumbers.format_number(number, form), region) == expected
