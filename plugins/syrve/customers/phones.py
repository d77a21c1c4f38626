"""Phone numbers as E.164."""

from __future__ import annotations

import phonenumbers


def to_e164(text: str, region: str) -> str | None:
    """Return the number as E.164, reading national ones by region (`RU`); None where the text is no possible phone number.

    A possible number is enough (right length for its country, with its area code): number ranges change faster than libraries, and a
    wrong one costs a look-up that finds nothing, while a guest refused here would be lost.
    """
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    length = phonenumbers.is_possible_number_with_reason(number)
    if number.extension or length != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
