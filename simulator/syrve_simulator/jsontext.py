"""JSON in and out with numbers kept as decimals: no balance passes through a float."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


class NotJsonError(ValueError):
    """A body that is not JSON, or not a JSON object where one is needed."""


def decode(body: bytes) -> Any:
    """Read JSON; numbers with a fraction or an exponent become Decimal. Raises NotJsonError."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJsonError(f"The body is not JSON: {error}") from None


def decode_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object. Raises NotJsonError."""
    value = decode(body)
    if not isinstance(value, dict):
        raise NotJsonError(f"The body must be a JSON object, not {type(value).__name__}")
    return value


def decode_object_in_text(body: bytes) -> dict[str, Any]:
    """Read a JSON object, or a JSON string that holds one, as some clients encode it twice. Raises NotJsonError."""
    value = decode(body)
    return decode_object(value.encode("utf-8", "replace") if isinstance(value, str) else body)


def encode(value: object) -> bytes:
    """Write JSON; a Decimal becomes a number with exactly its digits."""
    return _encoder.encode(value)


def exact(value: object) -> Decimal:
    """Return a JSON number, or text that holds one, as a Decimal without exponent. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"a number is needed, as a number or as text, not {type(value).__name__}")
    try:
        number = Decimal(value)
    except ArithmeticError:
        raise ValueError("this text is not a number") from None
    if not number.is_finite() or abs(number.adjusted()) > 100:
        raise ValueError("the number is too large, too small or not finite")
    return Decimal(format(number, "f"))
