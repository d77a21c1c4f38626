"""Reads single fields out of an answer, tolerantly: what can be put right is, and every deviation is noted.

A `FieldReader` belongs to one record. Its methods never raise for a bad optional field: they return None and note a lossy problem.
Only what a record cannot be without (its id, a balance) raises `BadField`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar
from uuid import UUID

from syrve.api.models import FieldProblem
from syrve.errors import SyrveProviderError
from syrve.identifiers import UUID_PATTERN
from syrve.values import MAX_NUMBER_DIGITS, storable_text

T = TypeVar("T")
MAX_TEXT_LENGTH = 1_000
_KEPT_VALUE_LENGTH = 200
_CANONICAL_UUID = re.compile(UUID_PATTERN)
_TRUE = frozenset({"true", "1", "yes"})
_FALSE = frozenset({"false", "0", "no"})


class BadField(SyrveProviderError, ValueError):
    """A field without which the record cannot be imported; the text names the path and the problem, never the value."""


class FieldReader:
    """Reads the fields of one JSON object; `path` is where the object stands in the answer, `time_zone` that of naive times."""

    __slots__ = ("path", "problems", "record", "time_zone")

    def __init__(
        self, record: Mapping[str, Any], *, path: str = "", time_zone: tzinfo = UTC, problems: list[FieldProblem]
    ) -> None:
        self.record = record
        self.path = path
        self.time_zone = time_zone
        self.problems = problems

    def at(self, name: str) -> str:
        """Name a field by its path in the answer."""
        return f"{self.path}.{name}" if self.path else name

    def note(self, name: str, problem: str, *, lossy: bool, value: Any = None) -> None:
        """Note a deviation; the value is kept only where the record loses it."""
        kept = storable_text(str(value))[:_KEPT_VALUE_LENGTH] if lossy else None
        self.problems.append(FieldProblem(self.at(name), problem, lossy, kept))

    def text(self, name: str) -> str | None:
        """Read text; the empty string is None, as Syrve makes no difference."""
        value = self.record.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            if isinstance(value, bool | dict | list):
                self.note(name, "is not text", lossy=True, value=value)
                return None
            self.note(name, "is a number, not text", lossy=False)
            value = str(value)
        cleaned = storable_text(value)
        if cleaned is not value:
            self.note(name, "has NUL or lone surrogates, removed", lossy=False)
        if len(cleaned) > MAX_TEXT_LENGTH:
            self.note(name, f"is longer than {MAX_TEXT_LENGTH} characters, cut", lossy=True, value=cleaned)
            cleaned = cleaned[:MAX_TEXT_LENGTH]
        return cleaned or None

    def uuid(self, name: str) -> str | None:
        """Read an optional uuid as canonical lower-case text."""
        value = self.record.get(name)
        if value is None or value == "":
            return None
        canonical = _canonical_uuid(value)
        if canonical is None:
            self.note(name, "is not a uuid", lossy=True, value=value)
        return canonical

    def required_uuid(self, name: str) -> str:
        """Read the uuid that the record cannot be without, or raise `BadField`."""
        value = self.record.get(name)
        canonical = _canonical_uuid(value)
        if canonical is None:
            problem = "is missing" if value in (None, "") else "is not a uuid"
            raise BadField(f"{self.at(name)} {problem}")
        return canonical

    def money(self, name: str) -> Decimal:
        """Read an amount exactly as written, or raise `BadField`: a wrong balance is worse than an old one."""
        value = self.record.get(name)
        if value is None:
            raise BadField(f"{self.at(name)} is missing")
        number = self._decimal(name, value)
        if number is None:
            raise BadField(f"{self.at(name)} is not a number")
        return number

    def optional_number(self, name: str) -> Decimal | None:
        """Read an optional number exactly as written."""
        value = self.record.get(name)
        if value is None or value == "":
            return None
        number = self._decimal(name, value)
        if number is None:
            self.note(name, "is not a number", lossy=True, value=value)
        return number

    def _decimal(self, name: str, value: Any) -> Decimal | None:
        if not isinstance(value, str):
            return exact_number(value)
        try:
            number = exact_number(Decimal(value.strip()))
        except InvalidOperation:
            return None
        if number is not None:
            self.note(name, "is a number given as text", lossy=False)
        return number

    def integer(self, name: str) -> int | None:
        """Read a small whole number (a type or a code)."""
        number = self.optional_number(name)
        if number is None:
            return None
        if number != number.to_integral_value() or abs(number) >= 2**31:
            self.note(name, "is not a small whole number", lossy=True, value=number)
            return None
        return int(number)

    def boolean(self, name: str) -> bool | None:
        """Read a flag; None means that Syrve did not say."""
        value = self.record.get(name)
        if value is None or isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word in _TRUE or word in _FALSE:
            self.note(name, "is a flag given as text or number", lossy=False)
            return word in _TRUE
        self.note(name, "is not a flag", lossy=True, value=value)
        return None

    def moment(self, name: str) -> datetime | None:
        """Read a time as UTC: ISO with `T` or a space, with an offset, `Z`, or naive in the connection's time zone."""
        return self._time(name, lambda text: utc_moment(text, self.time_zone), "is not a possible time")

    def day(self, name: str) -> date | None:
        """Read a calendar day from a date or from a date with a time."""
        return self._time(name, calendar_day, "is not a possible date")

    def _time(self, name: str, parse: Callable[[str], T], problem: str) -> T | None:
        value = self.record.get(name)
        if value is None or value == "" or is_no_date(value):
            return None
        try:
            return parse(value)
        except (ValueError, AttributeError, OverflowError):
            self.note(name, problem, lossy=True, value=value)
            return None

    def objects(self, name: str) -> list[Mapping[str, Any]]:
        """Read a list of objects, or raise `BadField` if something else stands; missing or null is empty."""
        value = self.record.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise BadField(f"{self.at(name)} is not a list")
        for index, item in enumerate(value):
            if not isinstance(item, Mapping):
                raise BadField(f"{self.at(name)}[{index}] is not an object")
        return value


def exact_number(value: Any) -> Decimal | None:
    """Return a JSON number exactly as written; None for what is none, or is beyond the digits that we keep."""
    if type(value) is not Decimal and type(value) is not int:
        return None
    number = Decimal(value)
    if not number.is_finite() or abs(number.adjusted()) > MAX_NUMBER_DIGITS:
        return None
    if len(str(number)) > MAX_NUMBER_DIGITS and len(number.as_tuple().digits) > MAX_NUMBER_DIGITS:
        return None  # the text is never shorter than the digits, and is had sooner
    return number


def is_no_date(value: Any) -> bool:
    """Whether a time is the first one that .NET knows, which is how Syrve's services write that there is none."""
    return isinstance(value, str) and value.lstrip().startswith(("0001-01-01", "01.01.0001"))


def utc_moment(text: str, time_zone: tzinfo) -> datetime:
    """Read a time as UTC, a naive one in the time zone; raise ValueError or OverflowError if it is none."""
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=time_zone)).astimezone(UTC)


def calendar_day(text: str) -> date:
    """Read the day of a date or of a date with a time; raise ValueError if it is none, or another day elsewhere (a time with an offset)."""
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is not None and moment.time() != time.min:
        raise ValueError("a time with an offset")
    return moment.date()


def _canonical_uuid(value: Any) -> str | None:
    if isinstance(value, str) and _CANONICAL_UUID.fullmatch(value):
        return value  # as Syrve writes it; parsing it would only cost time
    try:
        return str(UUID(value))
    except (ValueError, AttributeError, TypeError):
        return None
