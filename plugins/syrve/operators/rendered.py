"""Reads parameters after templating: with their type under `render_template_as_native_obj`, as text in any other DAG."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from datetime import UTC, datetime

from syrve.errors import SyrveProviderError

_NOTHING = ("", "none")
_FLAGS = {
    "preview": True,
    "send": False,
    "import": False,
    "start": False,
    "true": True,
    "1": True,
    "yes": True,
    "false": False,
    "0": False,
    "no": False,
    "": False,
    "none": False,
}


class UnusableValue(SyrveProviderError, ValueError):
    """A value of the form is not of its kind: no retry makes it one."""


def as_texts(value: Sequence[str] | str | None) -> list[str]:
    """Read a list of texts, also as `['a', 'b']` or separated by commas; raise UnusableValue for anything else."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = ast.literal_eval(value.strip())
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            raise UnusableValue("a list of texts is cut short") from None
    if isinstance(value, str):
        value = [] if value.strip().lower() in _NOTHING else value.split(",")
    texts = list(value or ())
    if not all(isinstance(each, str) for each in texts):
        raise UnusableValue("every element of the list must be text")
    return [each.strip() for each in texts if each.strip()]


def as_flag(value: bool | str | None) -> bool:
    """Read a flag; raise UnusableValue for a word that is none, so that `no` never means yes."""
    word = str(value).strip().lower()
    if word not in _FLAGS:
        raise UnusableValue(f"must be true or false, not {word!r}")
    return _FLAGS[word]


def as_number(value: int | str | None) -> int | None:
    """Read a whole number; None, `None` and the empty text are None. Raises UnusableValue, without the value: it may be a phone."""
    word = str(value).strip()
    if word.lower() in _NOTHING:
        return None
    try:
        return int(word)
    except ValueError:
        raise UnusableValue("must be a whole number") from None


def as_text(value: object) -> str | None:
    """Read a text that may be absent; `None` and the empty text are None, a number is its digits."""
    word = str(value).strip()
    return None if word.lower() in _NOTHING else word


def as_moment(value: object) -> datetime | None:
    """Read an ISO 8601 date or time that may be absent, in UTC where it names no offset; raise UnusableValue for anything else."""
    word = str(value).strip()
    if word.lower() in _NOTHING:
        return None
    try:
        moment = datetime.fromisoformat(word)
    except ValueError:
        raise UnusableValue("must be an ISO 8601 date or time, such as 2026-09-01T00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
