"""Texts, dates and numbers as people write them; every reader raises `BadRow` and never repeats the value.

White space and invisible characters have one treatment for every source (`clean_text`); the rest of the rules are in docs/files.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from syrve.sources.errors import BadRow

T = TypeVar("T")

YES_NO = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "да", "д", "истина"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "нет", "н", "ложь"), False),
}
SEXES = {
    **dict.fromkeys(("male", "m", "1", "мужской", "муж", "м"), "male"),
    **dict.fromkeys(("female", "f", "2", "женский", "жен", "ж"), "female"),
    **dict.fromkeys(("not_specified", "0", "не указан", "не указано"), "not_specified"),
}
_NO_DATES = frozenset({"0000-00-00", "00.00.0000", "0001-01-01", "01.01.0001", "1900-01-00", "00.01.1900"})
_RUSSIAN_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ T].+)?", re.ASCII)
_PLAIN = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:(?P<group>[ .,'])\d{3})(?:(?P=group)\d{3})*", re.ASCII)
_SHORTENED = re.compile(r"\d(?:[.,]\d+)?[eE]\+\d+", re.ASCII)
_DECIMAL_TAIL = re.compile(r"\d+[.,]0+", re.ASCII)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+", re.ASCII)
_MIDNIGHT = re.compile(r"(?:[ T]0{1,2}:00(?::00(?:\.0+)?)?(?:Z|[+-]00:?00)?)?")
_ERRORS = re.compile(
    r"#(?:N/A|N/D!?|Н/Д|VALUE!|ЗНАЧ!|ARG!|REF!|ССЫЛКА!|ADR!|(?:DIV|ДЕЛ|DZIEL)/0!|NUM!|ЧИСЛО!|LICZBA!|NAME\?|ИМЯ\?|NAZWA\?|NULL!|ПУСТО!|ZERO!|#+)"
    r"|Err:\d{3}|Ошибка:\d{3}"
)
"""What spreadsheets show for a cell without a value, in English, Russian and Polish; `###` for one that is too narrow."""
_PAIRS = "".join(bytes([each]).decode("cp1251", "ignore") for each in range(0x80, 0xC0))
_PAIRS_1252 = "".join(bytes([each]).decode("cp1252", "ignore") for each in range(0x80, 0xC0)) + "".join(
    map(chr, range(0x80, 0xA0))
)
_DECODED_TWICE = f"(?:[РС][{re.escape(_PAIRS)}]){{2}}|(?:[ÐÑ][{re.escape(_PAIRS_1252)}]){{2}}"
"""Two letters of Russian in UTF-8 that were read as windows-1251 or windows-1252."""
_DAMAGED = re.compile(f"[\ufffd\ud800-\udfff]|{_DECODED_TWICE}")
_SIGN_OF_DAMAGE = re.compile(f"[\ufffd\ud800-\udfffÐÑ{re.escape(_PAIRS)}]")
"""Stands in every text that is damaged, and in few others: looking for it takes a fraction of the time."""
_JOINERS = "\u200c\u200d"
_UNTYPED = re.compile(
    r"[^\S ]|[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f]"
    r"|[\ufeff\ufffc\ufffd\ud800-\udfff]"
)


_LOST = "holds characters that were lost when the text was decoded; export it again as UTF-8"


def clean_text(text: str) -> str:
    """Return a text with its invisible characters treated, trimmed; raise `BadRow` if it was damaged before it came here.

    Any white space, tabs, line ends and no-break spaces included, becomes a plain space; control and zero-width characters go, but for
    joiners inside of a word. U+FFFD and lone surrogates are what is left of a text that was decoded wrongly: the row is refused.
    """
    text = text.strip()
    if is_damaged(text):
        raise BadRow(_LOST)
    if text.isascii() and text.isprintable():
        return text
    if not _UNTYPED.search(text):
        return text.strip(_JOINERS).strip()
    return "".join(_treated(character) for character in text).strip().strip(_JOINERS).strip()


def is_damaged(text: str) -> bool:
    """Whether letters were lost when a text was decoded earlier: it has U+FFFD, lone surrogates, mojibake, or question marks alone."""
    if text.isascii():
        return text[:2] == "??" and not text.strip("? .,-")
    return _SIGN_OF_DAMAGE.search(text) is not None and _DAMAGED.search(text) is not None


def _treated(character: str) -> str:
    if character in _JOINERS or not _UNTYPED.match(character):
        return character
    return " " if character.isspace() else ""


def code_text(text: str) -> str:
    """Return a card, key or phone as it was before a spreadsheet had it; raise `BadRow` if digits are lost."""
    text = text.removeprefix("'").strip()
    if _SHORTENED.fullmatch(text):
        raise BadRow("was shortened by a spreadsheet (1.2E+15): digits are lost; store the column as text")
    if _DECIMAL_TAIL.fullmatch(text):
        raise BadRow("ends in a decimal part (.0), as spreadsheets add it; store the column as text")
    if _THOUSANDS.fullmatch(text):
        raise BadRow(
            "is written with separators of thousands (1,234,567), as spreadsheets show numbers; store the column as text"
        )
    return text


def exact_number(text: str, decimal_mark: str | None) -> Decimal:
    """Return a number exactly as it is written; raise `BadRow` if it is none or could be read in two ways.

    `1,000` and `1.000` are refused unless the decimal mark is stated; so are `1_000` and `1e3`.
    """
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    grouped = _GROUPED.fullmatch(text)
    if grouped and grouped["group"] in ".,":
        marks = text.count(grouped["group"])
        if grouped["group"] == decimal_mark and marks == 1:
            return Decimal(text.replace(grouped["group"], "."))
        if decimal_mark is None and marks == 1:
            if text.lstrip("+-").startswith("0"):
                return Decimal(text.replace(",", "."))
            raise BadRow("can be read in two ways, as thousands or decimals; state the decimal mark in the form")
    if grouped and grouped["group"] != decimal_mark:
        return Decimal(text.replace(grouped["group"], ""))
    whole, mark, fraction = _split(text, decimal_mark)
    if mark and fraction.isascii() and fraction.isdigit() and len(fraction) <= 30:
        inner = _GROUPED.fullmatch(whole)
        if inner and inner["group"] != mark:
            return Decimal(f"{whole.replace(inner['group'], '')}.{fraction}")
        if _PLAIN.fullmatch(whole):
            return Decimal(f"{whole}.{fraction}")
    raise BadRow("is not a number")


def _split(text: str, decimal_mark: str | None) -> tuple[str, str, str]:
    mark = decimal_mark or max(".,", key=text.rfind)
    return text.rpartition(mark) if mark in text else (text, "", "")


def exact_float(value: float) -> Decimal:
    """Return a binary number as the shortest decimal that it stands for."""
    return Decimal(repr(value))


def read_day(text: str) -> date | None:
    """Return a date from `1990-05-15` or `15.05.1990`, with or without a time; None for the words that software writes for no date.

    A time with an offset that is not midnight would be another day elsewhere: `BadRow`.
    """
    if is_no_date(text):
        return None
    try:
        return day_of(read_moment(text))
    except BadRow as problem:
        raise BadRow(str(problem).partition(", nor")[0]) from None


def day_of(moment: datetime) -> date | None:
    """Return the day of a moment as it was written; raise `BadRow` if an offset makes it uncertain."""
    if moment.year == 1:
        return None
    if moment.tzinfo is not None and (moment.hour, moment.minute, moment.second) != (0, 0, 0):
        raise BadRow("is a time with an offset: another day elsewhere; give a date without a time")
    return moment.date()


def read_moment(text: str) -> datetime:
    """Return a time from ISO 8601 or `15.05.2026 10:00`, naive if it names no offset; raise `BadRow`."""
    russian = _RUSSIAN_DATE.fullmatch(text)
    try:
        if russian:
            day, month, year, hour, minute, second = (int(each or 0) for each in russian.groups())
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the caller knows the zone
        if _ISO_DATE.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise BadRow("is not a date such as 1990-05-15 or 15.05.1990, nor a time such as 2026-05-15T10:00+03:00")


def in_utc(moment: datetime) -> datetime:
    """Return a moment with its offset; one without is in UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def is_no_date(text: str) -> bool:
    """Whether a text is what software writes for no date, such as `01.01.0001 0:00:00`."""
    return text[:10] in _NO_DATES and _MIDNIGHT.fullmatch(text[10:]) is not None


def is_error(text: str) -> bool:
    """Whether a text is what a spreadsheet shows where a cell has no value, such as `#N/A`."""
    return _ERRORS.fullmatch(text) is not None


def word_of(text: str, words: Mapping[str, T]) -> T:
    """Return what a word stands for, in any case; raise `BadRow` that lists the words."""
    found = words.get(text.casefold(), words.get(text.lower()))
    if found is None:
        raise BadRow(f"must be one of {', '.join(words)}")
    return found


def plain(value: Any) -> str:
    """Return a cell as it goes into a file or a payload; never raises."""
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    return str(value)
