"""What Postgres can hold of what JSON can say; used on both sides of the product."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any

MAX_NUMBER_DIGITS = 30
MAX_NESTING = 32
CURRENCY_DECIMALS = 6
DOUBLE_DIGITS = 15
_SHORT_INT: int = 10**MAX_NUMBER_DIGITS
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable_text(text: str) -> str:
    """Return text as Postgres can hold it: NUL removed, lone surrogates replaced."""
    if text.isprintable() or not _UNSTORABLE.search(text):
        return text
    return text.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def storable_json(value: Any, depth: int = 0) -> Any:
    """Return parsed JSON as jsonb can hold it; a number that is too long becomes its text.

    Raises ValueError if it is nested too deeply.
    """
    kind = type(value)
    if kind is str:
        return storable_text(value)
    if value is None or kind is bool:
        return value
    if kind is int or kind is Decimal:
        return value if _is_short(value) else str(value)
    if depth >= MAX_NESTING:
        raise ValueError("nested too deeply")
    if isinstance(value, Mapping):
        return {
            key if key.isprintable() else storable_text(key): (
                item if item is None or (type(item) is str and item.isprintable()) else storable_json(item, depth + 1)
            )
            for key, item in value.items()
        }  # what has nothing to change is told apart here: it is nearly everything, and calls cost more than the work
    if isinstance(value, list):
        return [storable_json(item, depth + 1) for item in value]
    return value


def _is_short(number: Decimal | int) -> bool:
    if isinstance(number, int):
        return -_SHORT_INT < number < _SHORT_INT
    if abs(number.adjusted()) > MAX_NUMBER_DIGITS:
        return False
    return len(str(number)) <= MAX_NUMBER_DIGITS


def without_float_noise(amount: Decimal) -> Decimal:
    """Return an amount as it was before a double carried it: of more decimals than any currency has, 15 digits are certain."""
    if not amount.is_finite() or -int(amount.as_tuple().exponent) <= CURRENCY_DECIMALS:
        return amount
    certain = Context(prec=DOUBLE_DIGITS).plus(amount).normalize()
    return certain.quantize(Decimal(1)) if int(certain.as_tuple().exponent) > 0 else certain
