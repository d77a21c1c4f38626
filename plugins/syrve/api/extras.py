"""The settings of a connection besides host and password: how each is named, explained, shown in the form and read."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from syrve.api.errors import ConfigurationError

MOST_CALLS_PER_MINUTE = 1_000_000
"""What a row of `sync.call_budget` holds at most."""
_AN_ID = re.compile(r"[0-9a-f-]{1,36}")
_METADATA_KEY = "syrve_extra"

AUTO = "auto"
AUTO_CAP_TIMES = 20
"""An automatic budget without a cap grows to the default of its family times this."""
DEFAULT_BUDGETS: dict[str, int] = {
    "customer": 100,
    "wallet": 60,
    "coupon": 10,
    "transactions": 10,
    "dictionary": 6,
    "orders": 10,
}
"""Calls per minute by family; Syrve publishes no limits, so these are what careful integrators impose on themselves."""


@dataclass(frozen=True, slots=True)
class Extra:
    """One extra of the connection: `meaning` is a sentence for form and docs, `schema` is JSON schema, `read` raises `ConfigurationError`.

    `default` is what the docs name; the form shows it too if the schema has a single value for it.
    """

    name: str
    label: str
    meaning: str
    schema: Mapping[str, Any]
    read: Callable[[str, Any], Any]
    default: Any
    default_text: str


def extra(
    default: Any,
    label: str,
    meaning: str,
    read: Callable[[str, Any], Any],
    *,
    json_type: str = "string",
    default_text: str | None = None,
    **schema: Any,
) -> Any:
    """Return the dataclass field of an extra; a callable default is a factory, and is not shown in the form."""
    shown = {} if callable(default) or not default else {"default": default}
    described = (
        label,
        meaning,
        {"type": [json_type, "null"]} | shown | schema,
        read,
        default,
        default_text or f"`{default:g}`" if isinstance(default, float) else default_text or f"`{default}`",
    )
    metadata = {_METADATA_KEY: described}
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def extras_of(config: type) -> dict[str, Extra]:
    """Return the extras that a dataclass declares with `extra`, by name, in their order."""
    return {
        field.name: Extra(field.name, *field.metadata[_METADATA_KEY])
        for field in dataclasses.fields(config)
        if _METADATA_KEY in field.metadata
    }


def wrong(name: str, problem: str) -> ConfigurationError:
    """Return the error that names the field of the connection and what is wrong with it."""
    return ConfigurationError(f"{name}: {problem}", operation="connection")


def one_of(allowed: tuple[str, ...]) -> Callable[[str, Any], str]:
    """Return a reader that accepts these words in any case."""

    def read(name: str, value: Any) -> str:
        word = str(value).strip().lower()
        if word not in allowed:
            raise wrong(name, f"must be one of {', '.join(allowed)}")
        return word

    return read


def organization_ids(name: str, value: Any) -> tuple[str, ...]:
    """Read ids given as a list, as JSON in a text, or separated by commas or spaces, with or without braces."""
    items = value
    if isinstance(value, str):
        try:
            items = json.loads(value) if value.lstrip().startswith("[") else value.replace(",", " ").split()
        except ValueError:
            raise wrong(name, "is JSON that cannot be read") from None
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise wrong(name, "must be a list of ids, or ids separated by commas")
    ids = [item.strip().strip("{}").lower() for item in items if item.strip()]
    if not all(_AN_ID.fullmatch(each) for each in ids):
        raise wrong(name, "must be a list of ids (uuid), or ids separated by commas")
    return tuple(dict.fromkeys(ids))


def stripped_text(_name: str, value: Any) -> str:
    """Read a text without the spaces around it."""
    return str(value).strip()


def time_zone(name: str, value: Any) -> str:
    """Read a name of the IANA database."""
    try:
        return ZoneInfo(str(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise wrong(name, "not a name of the IANA time zone database, such as Europe/Moscow") from error


def region(name: str, value: Any) -> str:
    """Read a two-letter country code."""
    code = str(value).strip().upper()
    if len(code) != 2 or not code.isalpha():
        raise wrong(name, "must be a two-letter country code, such as RU")
    return code


def positive(name: str, value: Any) -> float:
    """Read a number above zero."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise wrong(name, "must be a number") from error
    if not 0 < number < 1e9:
        raise wrong(name, "must be greater than zero")
    return number


def positive_count(name: str, value: Any) -> int:
    """Read a number above zero as a whole one, at least 1."""
    return max(1, int(positive(name, value)))


def calls_per_minute(name: str, value: Any) -> int:
    """Read a budget: at least 1 and at most what the warehouse keeps."""
    number = positive_count(name, value)
    if number > MOST_CALLS_PER_MINUTE:
        raise wrong(name, f"must be at most {MOST_CALLS_PER_MINUTE:,} calls per minute")
    return number


def budgets(name: str, value: Any) -> dict[str, int]:
    """Return calls per minute by family; for a family of `auto_families` the number is the cap of its budget."""
    given = _by_family(name, value, 'calls per minute by family, such as {"customer": 100} or {"customer": "auto"}')
    auto = auto_families(given)
    return DEFAULT_BUDGETS | {
        family: (_auto_cap if family in auto else calls_per_minute)(f"{name}.{family}", limit)
        for family, limit in given.items()
    }


def auto_families(value: Any) -> frozenset[str]:
    """Return the families whose budget finds its own limit."""
    given = value if isinstance(value, Mapping) else {}
    return frozenset(
        family for family, limit in given.items() if isinstance(limit, str) and limit.strip().lower().startswith(AUTO)
    )


def max_in_flight(name: str, value: Any) -> dict[str, int]:
    """Return how many calls of a family all tasks together may have under way, by family."""
    given = _by_family(name, value, 'calls under way at once by family, such as {"customer": 5}')
    return {family: positive_count(f"{name}.{family}", most) for family, most in given.items()}


def _auto_cap(name: str, value: str) -> int:
    word, colon, cap = value.strip().lower().partition(":")
    if word.strip() != AUTO or (colon and not cap.strip().isdigit()):
        raise wrong(name, 'must be a number, "auto", or "auto:600" for at most 600 a minute')
    return calls_per_minute(name, cap) if colon else AUTO_CAP_TIMES * DEFAULT_BUDGETS[name.rpartition(".")[2]]


def _by_family(name: str, value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong(name, f"must be an object of {what}")
    if set(value) - set(DEFAULT_BUDGETS):
        raise wrong(name, f"unknown family; known ones are {', '.join(sorted(DEFAULT_BUDGETS))}")
    return value
