"""Writes values into the report's files: nothing that is no id, amount or time, and so nothing that a spreadsheet takes for a formula."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import simplejson

WITHHELD = "(withheld)"
"""Stands for a text that does not look like an id, such as a name that somebody's own rule let through."""
# The first character keeps out what begins a formula: = + - @ and white space.
_LIKE_AN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/#|-]*")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ][0-9:.]+(Z|[+-][0-9:]+)?)?")
MAX_ID_LENGTH = 300


def id_only(text: str | None) -> str:
    """Return the text if it looks like an id or a time, and `WITHHELD` otherwise."""
    if not text:
        return ""
    looks_right = _LIKE_AN_ID.fullmatch(text) or _TIME.fullmatch(text)
    return text if looks_right and len(text) <= MAX_ID_LENGTH else WITHHELD


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
