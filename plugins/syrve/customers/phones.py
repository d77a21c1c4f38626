"""Phone numbers as E.164."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import phonenumbers

_SHAPED_AS_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_LETTER_AFTER_A_DIGIT = re.compile(r"\d.*[A-Za-z\uff21-\uff3a\uff41-\uff5a]", re.DOTALL)
"""The library would read the letter as the digit of its key: `OOO` for zeros as 666."""
_BLANK = re.compile(r"[^\S\r\n]")
"""The library knows a plain and a no-break space, but no thin or narrow one."""
_DIGITS_AND_SIGNS = re.compile(r"[\d\s().\-\u2010-\u2015\u00ad/]+")


def to_e164(text: str, region: str) -> str | None:
    """Return the number as E.164, reading national ones by region (`RU`); None if the text is no possible phone number.

    A valid reading comes first: the national one, else the international one whose plus is missing; a country's code is not put before
    digits that begin with it if they are valid as they are. Without a valid reading a possible one is enough (right length for its
    country, with its area code): number ranges change faster than libraries, and a wrong one costs a look-up that finds nothing, while a
    guest refused here would be lost. What creates a customer or changes a phone needs `is_valid_e164` as well.
    """
    if _SHAPED_AS_E164.fullmatch(text) and _is_e164(text):
        return text
    if _LETTER_AFTER_A_DIGIT.search(text):
        return None
    text = _BLANK.sub(" ", text)
    national = _possible(text, region)
    if "+" in text or "\uff0b" in text or not _DIGITS_AND_SIGNS.fullmatch(text):
        return _formatted(national)
    digits = phonenumbers.normalize_digits_only(text)
    if digits.startswith("0"):  # a prefix of the region
        return _formatted(national)
    international = _possible("+" + digits, region)
    if international is None:
        return _formatted(national)
    doubles_the_code = national is None or digits.startswith(str(national.country_code))
    if doubles_the_code and not _is_valid(national):
        return _formatted(international)
    is_better = _is_valid(international) and (doubles_the_code or not _is_valid(national))
    return _formatted(international if is_better else national)


def is_valid_e164(number: str) -> bool:
    """Return whether this number can exist: its range is in use, by the library's metadata."""
    try:
        return _is_valid(phonenumbers.parse(number, None))
    except phonenumbers.NumberParseException:
        return False


def _possible(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    length = phonenumbers.is_possible_number_with_reason(number)
    return None if number.extension or length != phonenumbers.ValidationResult.IS_POSSIBLE else number


def _is_valid(number: phonenumbers.PhoneNumber | None) -> bool:
    return number is not None and bool(phonenumbers.is_valid_number(number))


def _formatted(number: phonenumbers.PhoneNumber | None) -> str | None:
    """Format the number; None if its text would be read as another number, of which a prefix is cut off once more."""
    if number is None:
        return None
    text = _e164(number)
    if _SHAPED_AS_E164.fullmatch(text) and _is_e164(text):
        return text
    again = _possible(text, None)
    return text if again is not None and _e164(again) == text else None


def _e164(number: phonenumbers.PhoneNumber) -> str:
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


class _Numbering(NamedTuple):
    """What decides over numbers under one calling code; `prefix` is what the library may take for a national prefix and cut off."""

    calling_code_ends: int
    prefix: re.Pattern[str] | None
    possible_lengths: frozenset[int]


def _is_e164(text: str) -> bool:
    """Tell in a hundredth of the time that parsing would give the same text back; False means that only parsing can tell."""
    numbering = _numbering(text[1:4])
    if numbering is None:
        return False
    national = text[numbering.calling_code_ends :]
    return (
        len(national) in numbering.possible_lengths
        and national[0]
        != "0"  # may be cut off as a prefix, or be a leading zero that belongs to the number, as in Italy
        and (numbering.prefix is None or not numbering.prefix.match(national))
    )


@lru_cache(maxsize=1000)
def _numbering(first_digits: str) -> _Numbering | None:
    """Return the numbering of the calling code that a number begins with; None if there is no such code."""
    for length in (1, 2, 3):  # no calling code is the beginning of another
        calling_code = int(first_digits[:length])
        region = phonenumbers.region_code_for_country_code(calling_code)
        if region == phonenumbers.UNKNOWN_REGION:
            continue
        metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(calling_code, region)
        if metadata is None:
            return None
        prefix = metadata.national_prefix_for_parsing
        lengths = frozenset(each for each in range(1, 15) if _is_possible_length(calling_code, each))
        return _Numbering(1 + length, re.compile(prefix) if prefix else None, lengths)
    return None


def _is_possible_length(calling_code: int, length: int) -> bool:
    """Ask the library, whose answer depends on nothing but these two."""
    number = phonenumbers.PhoneNumber(country_code=calling_code, national_number=int("1" * length))
    verdict = phonenumbers.is_possible_number_with_reason(number)
    return bool(verdict == phonenumbers.ValidationResult.IS_POSSIBLE)
