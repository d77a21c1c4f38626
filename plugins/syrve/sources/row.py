"""One row of a source, read by columns; every reader raises `BadRow` that names the column and never the value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from syrve.sources import values
from syrve.sources.errors import BadRow
from syrve.sources.number_format import FormattedNumber

T = TypeVar("T")

MAX_TEXT_LENGTH = 1_000
MAX_CODE_LENGTH = 200
_FLOAT_INTEGERS = 10**15
"""Binary numbers hold whole numbers of up to 15 digits exactly; spreadsheets round the rest."""
SPREADSHEET_ERROR = "holds an error of the spreadsheet, such as #N/A"
_SHOWN_OTHERWISE = "is shown otherwise than it is stored, by the format of its cell; store the column as text"
_UNSTATED_NULLS = frozenset({"NULL", "\\N"})


@dataclass(frozen=True, slots=True)
class BadCell:
    """A cell that its reader could not read, with the reason."""

    reason: str

    def __str__(self) -> str:
        return "(not readable)"


@dataclass(frozen=True, slots=True)
class ValueRules:
    """What the form states of values: see `FileFormat`."""

    decimal_mark: str | None = None
    null_words: frozenset[str] = frozenset()


class Row:
    """The cells of a row by column, as the source has them; `line` is its place in the source, from 1.

    `all_cells` are the cells of all columns in the order of the source, those that nothing reads included.
    """

    __slots__ = ("_rules", "all_cells", "cells", "line")

    def __init__(
        self,
        line: int,
        cells: Mapping[str, Any],
        rules: ValueRules | None = None,
        all_cells: Sequence[Any] | None = None,
    ) -> None:
        self.line = line
        self.cells = cells
        self.all_cells = list(cells.values()) if all_cells is None else all_cells
        self._rules = rules or ValueRules()

    def text(self, name: str, *, needed: bool = False, max_length: int = MAX_TEXT_LENGTH) -> str | None:
        """Return a text, None if it is empty."""
        if isinstance(self.cells.get(name), date):
            raise BadRow(f"{name} is a date, as spreadsheets make of some texts; store the column as text")
        found = self._read(name, self._as_text)
        if found is None and needed:
            raise BadRow(f"{name} is missing")
        if found is not None and len(found) > max_length:
            raise BadRow(f"{name} is longer than {max_length:,} characters")
        return found

    def code(self, name: str, *, needed: bool = False, max_length: int = MAX_CODE_LENGTH) -> str | None:
        """Return a card, key, order number or phone: every character counts, so nothing that a spreadsheet rounded is taken."""
        found = self.text(name, needed=needed, max_length=max_length)
        if found is None:
            return None
        if not isinstance(self.cells[name], str | FormattedNumber):
            if isinstance(self.cells[name], bool | date):
                raise BadRow(
                    f"{name} is a date or a yes or no, as spreadsheets make of some codes; store the column as text"
                )
            if isinstance(self.cells[name], float | Decimal) and "." in found:
                raise BadRow(f"{name} is a number with decimals; store the column as text")
            return found
        return self._read(name, lambda _: values.code_text(found)) or None

    def uuid(self, name: str, *, needed: bool = False) -> str | None:
        """Return an id in canonical writing."""
        found = self.text(name, needed=needed)
        if found is None:
            return None
        try:
            return str(UUID(found))
        except ValueError:
            raise BadRow(f"{name} is not a uuid") from None

    def whole(self, name: str) -> int | None:
        """Return a whole number of at most 18 digits, written without separators."""
        found = self.code(name)
        if found is None:
            return None
        if not (found.isascii() and found.isdigit() and len(found) <= 18):
            raise BadRow(f"{name} is not a whole number")
        return int(found)

    def amount(self, name: str, *, needed: bool = False) -> Decimal | None:
        """Return a number exactly; whether it makes sense is for the operation to say."""
        found = self._read(name, self._as_number)
        if found is None and needed:
            raise BadRow(f"{name} is missing")
        return found

    def day(self, name: str) -> date | None:
        """Return a date; what software writes for no date is None."""
        return self._read(name, self._as_day)

    def moment(self, name: str, *, needed: bool = False) -> datetime | None:
        """Return a time with its offset; one without is in UTC."""
        found = self._read(name, self._as_moment)
        if found is None and needed:
            raise BadRow(f"{name} is missing")
        return found

    def flag(self, name: str) -> bool | None:
        """Return a yes or no in Russian or English, None if it is empty."""
        return self.word(name, values.YES_NO)

    def word(self, name: str, words: Mapping[str, T]) -> T | None:
        """Return what a word of a fixed list stands for, None if it is empty."""
        found = self.text(name)
        return None if found is None else self._read(name, lambda _: values.word_of(found, words))

    def one_of(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        """Return a word of a fixed list."""
        found = self.word(name, {each: each for each in allowed}) or default
        if found is None:
            raise BadRow(f"{name} must be one of {', '.join(allowed)}")
        return found

    def as_it_was(self) -> dict[str, str]:
        """Return the cells as text, for what keeps a bad row."""
        return {name: values.plain(value) for name, value in self.cells.items()}

    def _read(self, name: str, read: Callable[[Any], T | None]) -> T | None:
        value = self.cells.get(name)
        if value is None:
            return None
        try:
            if isinstance(value, BadCell):
                raise BadRow(value.reason)
            return read(value)
        except BadRow as problem:
            reason = str(problem)
            raise BadRow(reason if reason.startswith(f"{name} ") else f"{name} {reason}") from None

    def _as_text(self, value: Any) -> str | None:
        if isinstance(value, str):
            return self._written(value)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float | Decimal):
            return _number_text(value)
        if isinstance(value, FormattedNumber):
            if value.text is None:
                raise BadRow(_SHOWN_OTHERWISE)
            return self._written(value.text)
        if isinstance(value, datetime | date):
            return value.isoformat()
        if isinstance(value, UUID):
            return str(value)
        if isinstance(value, bytes | bytearray | memoryview):
            try:
                return self._written(bytes(value).decode())
            except UnicodeDecodeError:
                raise BadRow("holds bytes that are not UTF-8") from None
        raise BadRow(f"holds a {type(value).__name__}, not a text or number")

    def _written(self, value: str) -> str | None:
        found = values.clean_text(value)
        if len(found) > 3 and found.startswith('="') and found.endswith('"'):
            found = values.clean_text(found[2:-1].replace('""', '"'))
        if not found or found in self._rules.null_words:
            return None
        if found in _UNSTATED_NULLS:
            raise BadRow("holds the word NULL or \\N; state in the form that it means an empty cell, or empty it")
        if values.is_error(found):
            raise BadRow(SPREADSHEET_ERROR)
        return found

    def _as_number(self, value: Any) -> Decimal | None:
        if isinstance(value, bool):
            raise BadRow("is not a number")
        if isinstance(value, FormattedNumber):
            if not value.is_amount:
                raise BadRow(_SHOWN_OTHERWISE)
            value = value.number
        if isinstance(value, int):
            return Decimal(value)
        if isinstance(value, Decimal):
            return None if value.is_nan() else value
        if isinstance(value, float):
            return None if value != value else values.exact_float(value)  # NaN: an empty cell of a frame
        found = self._as_text(value)
        return None if found is None else values.exact_number(found, self._rules.decimal_mark)

    def _as_day(self, value: Any) -> date | None:
        if isinstance(value, datetime):
            return values.day_of(value)
        if isinstance(value, date):
            return None if value.year == 1 else value
        found = self._as_text(value)
        return None if found is None else values.read_day(found)

    def _as_moment(self, value: Any) -> datetime | None:
        if isinstance(value, datetime):
            return None if value.year == 1 else values.in_utc(value)
        if isinstance(value, date):
            return None if value.year == 1 else datetime(value.year, value.month, value.day, tzinfo=UTC)
        found = self._as_text(value)
        if found is None or values.is_no_date(found):
            return None
        return values.in_utc(values.read_moment(found))


def _number_text(value: float | Decimal) -> str | None:
    if value != value:  # NaN: an empty cell of a frame
        return None
    if isinstance(value, Decimal):
        return str(int(value)) if value == value.to_integral_value() else format(value, "f")
    if abs(value) >= _FLOAT_INTEGERS:
        raise BadRow("is a number of more than 15 digits, of which the last ones are lost; store the column as text")
    return str(int(value)) if value.is_integer() else repr(value)
