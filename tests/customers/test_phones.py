"""Phone numbers become E.164, or are refused; nothing is guessed."""

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syrve.customers.phones import is_valid_e164, to_e164

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
        ("8\u2009916\u202f123\u201145\u201167", "RU", "+79161234567"),
        ("\u202a+7\u00a0916\u2060123-45-67\u202c", "RU", "+79161234567"),
    ],
)
def test_national_form_is_read_by_the_region(text: str, region: str, expected: str) -> None:
    assert to_e164(text, region) == expected


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("4915123456789", "DE", "+4915123456789"),
        ("62812345678", "ID", "+62812345678"),
        ("38343201234", "XK", "+38343201234"),
        ("375291234567", "RU", "+375291234567"),
        ("380 67 123-45-67", "RU", "+380671234567"),
        ("3938012345", "IT", "+393938012345"),  # a national number that begins like the country's code
    ],
)
def test_number_without_its_plus_is_read_as_what_is_valid(text: str, region: str, expected: str) -> None:
    assert to_e164(text, region) == expected


@pytest.mark.parametrize("text", ["8900123456", "80291234567", "00 995 555 12 34 56", "+9001234567"])
def test_number_that_nobody_can_have_is_not_valid(text: str) -> None:
    number = to_e164(text, "RU")

    assert number is None or not is_valid_e164(number)


@pytest.mark.parametrize(
    "text", ["", "none", "12345", "+", "+999123456789", "8916123456789012", "8 916 123-45-67 ext. 12"]
)
def test_what_is_no_possible_number_is_refused(text: str) -> None:
    assert to_e164(text, "RU") is None


def test_local_number_without_its_area_code_is_refused() -> None:
    assert to_e164("555-0143", "US") is None


@given(text=ANY_TEXT, region=st.sampled_from(REGIONS))
@example(text="000000", region="DE")  # "+4900000" would be read as "+490000"
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
    assert number is not None
    form = data.draw(
        st.sampled_from([phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.NATIONAL])
    )
    padding = data.draw(st.sampled_from(["", " ", "\t", "\u00a0"]))

    expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    assert to_e164(padding + phonenumbers.format_number(number, form), region) == expected


def as_the_library_says(text: str, region: str) -> str | None:
    """What the library reads, unless it would read another number from what it has read."""
    number = read_by_the_library(text, region)
    return number if number is not None and read_by_the_library(number, region) == number else None


def read_by_the_library(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if (
        number.extension
        or phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE
    ):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


CALLING_CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
ALL_REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
NATIONAL = st.builds(
    str.__add__,
    st.sampled_from(["", "0", "00", "1", "8", "9", "15", "06", "044", "0800", "800", "812"]),
    st.text(alphabet="0123456789", max_size=13),
)


@settings(max_examples=2_000)
@given(
    calling_code=st.sampled_from(CALLING_CODES) | st.integers(1, 999),
    national=NATIONAL,
    region=st.sampled_from([*ALL_REGIONS, "ZZ", ""]),
)
def test_number_in_international_form_is_what_the_library_makes_of_it(
    calling_code: int, national: str, region: str
) -> None:
    text = f"+{calling_code}{national}"

    assert to_e164(text, region) == as_the_library_says(text, region)


@pytest.mark.parametrize("calling_code", CALLING_CODES)
def test_example_and_every_length_and_first_digit_of_a_country_are_what_the_library_makes_of_them(
    calling_code: int,
) -> None:
    for region in phonenumbers.region_codes_for_country_code(calling_code):
        for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
            example = phonenumbers.example_number_for_type(region, kind)
            if example is not None:
                text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
                assert to_e164(text, "RU") == as_the_library_says(text, "RU") == text
    for first in range(10):
        for length in range(4, 15):
            text = f"+{calling_code}{first}{'5' * (length - 1)}"
            assert to_e164(text, "RU") == as_the_library_says(text, "RU"), (calling_code, first, length)


def test_numbers_written_as_e164_are_mostly_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(*_: object) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr(phonenumbers, "parse", parse)

    for text in ("+79161234567", "+77011234567", "+12025550143", "+4915123456789", "+971501234567"):
        assert to_e164(text, "RU") == text


@pytest.mark.parametrize("text", ["8975777OOO2", "+7975777OOO2", "8 975 777 oo 02", "8975777000I", "8-800-FLOWERS"])
def test_letter_typed_for_a_digit_makes_no_other_number(text: str) -> None:
    """The library reads letters as the keys of a telephone: another person's number."""
    assert to_e164(text, "RU") is None
