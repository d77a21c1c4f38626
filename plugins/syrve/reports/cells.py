"""Writes values into the report's files: nothing that is no id, amount or time, and so nothing that a spreadsheet takes for a formula."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import simplejson

from syrve.identifiers import UUID_PATTERN

WITHHELD = "(withheld)"
"""Stands for a text that does not look like an id, such as a name or a phone in the evidence of a custom rule."""
# The first character keeps out what begins a formula: = + - @ and white space.
_LIKE_AN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/#|-]*")
_UUID = re.compile(UUID_PATTERN, re.IGNORECASE)
# A phone in one piece has 10 to 15 digits with its area or country code. In groups it is only recognised alone: dates and
# numbers of receipts are written in groups too.
_PHONE_DIGITS = re.compile(r"(?<![0-9a-zA-Z])[0-9]{10,15}(?![0-9a-zA-Z])")
_PHONE_IN_GROUPS = re.compile(r"[0-9](?:[-./]?[0-9]){6,14}")
# One or several capitalised words without a digit or an underscore, as names are written and ids are not.
_LIKE_A_NAME = re.compile(r"[A-Z][a-z]+(?:[.-][A-Z][a-z]*)*\.?")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ][0-9:.]+(Z|[+-][0-9:]+)?)?")
MAX_ID_LENGTH = 300
_DAY_SECONDS = 86_400
AGES = ("under a day", "1 to 7 days", "7 to 30 days", "over 30 days")
_AGE_BOUNDS = (1 * _DAY_SECONDS, 7 * _DAY_SECONDS, 30 * _DAY_SECONDS)


def id_only(text: str | None) -> str:
    """Return the text if it looks like an id or a time and like no name or phone, and `WITHHELD` otherwise."""
    if not text:
        return ""
    if len(text) > MAX_ID_LENGTH:
        return WITHHELD
    if _TIME.fullmatch(text):
        return text
    is_personal = (
        _PHONE_DIGITS.search(_UUID.sub("", text)) or _PHONE_IN_GROUPS.fullmatch(text) or _LIKE_A_NAME.fullmatch(text)
    )
    return text if _LIKE_AN_ID.fullmatch(text) and not is_personal else WITHHELD


def evidence_cell(evidence: str | None) -> str:
    """Return the evidence, a JSON object, with every text in it as `id_only` leaves it; keys are kept in the order of the alphabet."""
    found = simplejson.loads(evidence or "{}", use_decimal=True)
    return str(simplejson.dumps(_ids_only(found), use_decimal=True, sort_keys=True, separators=(",", ":")))


def amount_text(amount: Decimal | None) -> str:
    """Write an amount in full, never with an exponent; empty where there is none."""
    return "" if not isinstance(amount, Decimal) else format(amount, "f")


def money(amount: Decimal) -> str:
    """Write an amount for people: grouped by thousands, with two decimals, or up to four where it has more."""
    decimals = min(4, max(2, -int(amount.normalize().as_tuple().exponent)))
    return f"{amount:,.{decimals}f}".replace(",", "\N{NO-BREAK SPACE}")


def time_text(moment: datetime) -> str:
    """Write a moment in ISO 8601, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def age_text(seconds: int) -> str:
    """Say how old something is, in its largest unit."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:,} {unit}"
    return "under a minute"


def _ids_only(value: Any) -> Any:
    if isinstance(value, dict):
        return {id_only(str(key)): _ids_only(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_ids_only(each) for each in value]
    return id_only(value) if isinstance(value, str) else value


def age_of(seconds: int) -> str:
    """Name the age class of an age in seconds."""
    return AGES[sum(seconds >= bound for bound in _AGE_BOUNDS)]
