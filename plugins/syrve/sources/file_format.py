"""What a form, an operator or a saved source says of a file: all of it may be left out, and is then detected or refused."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syrve.sources.errors import UnusableSource

SEPARATORS = {",": ",", ";": ";", "|": "|", "\t": "\t", "tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";"}
DECIMAL_MARKS = {".": ".", ",": ",", "point": ".", "comma": ","}
_NO_CHARACTER_SETS = frozenset(
    {"charmap", "idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
"""Python takes these for encodings of text too; they make signs out of words, or take ever longer for a long file."""
FIELDS = ("encoding", "separator", "header_row", "sheet", "decimal_mark", "null_words", "columns")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """How to read a source: `header_row` counts from 1, `columns` maps headings to columns (null: leave that column alone)."""

    encoding: str | None = None
    separator: str | None = None
    header_row: int | None = None
    sheet: str | None = None
    decimal_mark: str | None = None
    null_words: frozenset[str] = frozenset()
    columns: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, Any] | None) -> FileFormat:
        """Make it of what a form or an operator gives; raise `UnusableSource` that names the setting and what it may be."""
        given = {name: value for name, value in (settings or {}).items() if value not in (None, "", "None", [], {})}
        unknown = sorted(set(given) - set(FIELDS))
        if unknown:
            raise UnusableSource(f"{unknown[0]} is not a setting of a file; those are {', '.join(FIELDS)}")
        values: dict[str, Any] = dict(given)
        if "encoding" in given:
            values["encoding"] = _codec(given["encoding"])
        if "separator" in given:
            values["separator"] = _choice("separator", given["separator"], SEPARATORS)
        if "decimal_mark" in given:
            values["decimal_mark"] = _choice("decimal_mark", given["decimal_mark"], DECIMAL_MARKS)
        if "header_row" in given:
            values["header_row"] = _row_number(given["header_row"])
        if "null_words" in given:
            values["null_words"] = _words(given["null_words"])
        if "columns" in given:
            values["columns"] = _mapping(given["columns"])
        if "sheet" in given:
            values["sheet"] = str(given["sheet"])
        return cls(**values)


def _codec(value: Any) -> str:
    try:
        found = codecs.lookup(str(value).strip())
        "".encode(found.name)
    except (LookupError, TypeError, ValueError):
        found = None
    if (
        found is None
        or found.name.replace("_", "-") in _NO_CHARACTER_SETS
        or not getattr(found, "_is_text_encoding", True)
    ):
        raise UnusableSource("encoding is none that is known; write utf-8, utf-16, windows-1251, koi8-r or another")
    return found.name


def _choice(name: str, value: Any, allowed: Mapping[str, str]) -> str:
    word = str(value) if str(value) == "\t" else str(value).strip().lower()
    if word not in allowed:
        shown = ", ".join(sorted({each for each in allowed if each.isprintable()}))
        raise UnusableSource(f"{name} must be one of: {shown}")
    return allowed[word]


def _row_number(value: Any) -> int:
    text = str(value).strip()
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000):
        raise UnusableSource("header_row must be a number from 1 to 1000: the row that holds the names of the columns")
    return int(text)


def _words(value: Any) -> frozenset[str]:
    words = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if not all(isinstance(each, str) and each.strip() for each in words):
        raise UnusableSource("null_words must be a list of words that mean an empty cell, such as NULL")
    return frozenset(each.strip() for each in words)


def _mapping(value: Any) -> dict[str, str | None]:
    if not isinstance(value, Mapping) or not all(
        isinstance(heading, str) and (column is None or isinstance(column, str)) for heading, column in value.items()
    ):
        raise UnusableSource('columns must map headings of the file to columns, as {"Телефон": "phone"}')
    return dict(value)
