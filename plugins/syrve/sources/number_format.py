"""What a spreadsheet shows of a number, by the number format of its cell: `"CLUB-"0000` shows `CLUB-0042` for 42.

A cell is read as a person sees it, or it is refused. Source of the syntax: ECMA-376, part 1, 18.8.31 (numFmts).
"""

from __future__ import annotations

import operator
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

_GENERAL = "General"
LONGEST = 255
"""A longer format is not read, as Excel does not either: each one costs as much again."""
_DIGITS = "0#?"
_CURRENCIES = frozenset({"р", "руб", "rub", "rur", "usd", "eur", "kzt", "тг", "byn", "br", "uah", "грн"})
_SCANNED = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_(?P<space>.)|\*(?P<fill>.)|\[(?P<bracket>[^\]]*)\]'
    rf"|(?P<general>{_GENERAL})|(?P<exponent>[eE][+-])|(?P<sign>.)",
    re.DOTALL | re.IGNORECASE,
)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?\d+(?:\.\d+)?)")
_COLOUR = re.compile(r"(?:[^\W\d_]+)|(?:colou?r|цвет)\s*\d+", re.IGNORECASE)
_COMPARED = {
    "<=": operator.le,
    ">=": operator.ge,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_LITERAL_SIGNS = frozenset("$-+():!^&'~{}<>= \u00a0\u202f")


@dataclass(frozen=True, slots=True)
class FormattedNumber:
    """A number whose format shows more, or other, than its digits; `text` is what is seen, None if that is not certain.

    `is_amount` says whether a person would read the number itself as an amount: not 0.5 where 50 % is seen.
    """

    number: int | Decimal
    text: str | None
    is_amount: bool

    def __str__(self) -> str:
        return str(self.number) if self.text is None else self.text


class _Part(NamedTuple):
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class _Section:
    parts: tuple[_Part, ...]
    condition: tuple[str, Decimal] | None = None

    def kinds(self) -> set[str]:
        return {each.kind for each in self.parts}

    def written(self) -> str:
        """The texts that it puts around the number."""
        return "".join(each.text for each in self.parts if each.kind == "text")


def seen_number(number: int | Decimal, number_format: str) -> int | Decimal | FormattedNumber:
    """Return a number as it is where its format shows just that, else with what the format shows."""
    if number_format == _GENERAL:
        return number
    sections = _sections(number_format)
    section = None if sections is None else _section_of(number, sections)
    if sections is None or section is None:
        return FormattedNumber(number, None, is_amount=False)
    if [each.kind for each in section.parts] in (["general"], ["at"]):
        return number
    text = _text(number, section, is_negative_section=_is_of_negatives(section, sections))
    if text == str(number):
        return number
    return FormattedNumber(number, text or None, _is_amount(number, section, sections))


def seen_text(text: str, number_format: str) -> str | None:
    """Return a text with what its format puts around it; None if that hides it or is not certain."""
    if number_format in (_GENERAL, "@") or ("@" not in number_format and number_format.count(";") < 3):
        return text
    sections = _sections(number_format)
    if sections is None:
        return None
    section = sections[-1]
    if "at" not in section.kinds() and len(sections) < 4:
        return text
    if section.kinds() - {"at", "text", "space"}:
        return None
    return "".join(text if each.kind == "at" else each.text for each in section.parts) or None


def shows_whole_date(number_format: str) -> bool:
    """Whether a format of dates shows day, month and year: Excel gives `15 May` this year, and shows none."""
    if len(number_format) > LONGEST:
        return False
    shown = re.sub(r'"[^"]*"|\\.|_.|\[[^\]]*\]', "", number_format.partition(";")[0]).lower()
    if not re.search("[dmyhs]", shown):
        return True  # a date that the file stores as one, in no format of dates
    return bool(re.search(r"(?<!d)d{1,2}(?!d)", shown)) and "m" in shown and bool(re.search("[yeb]", shown))


@lru_cache(maxsize=2_000)
def _sections(number_format: str) -> tuple[_Section, ...] | None:
    """Read a format; None if it has what is not known here, or is too long."""
    if len(number_format) > LONGEST:
        return None
    sections: list[_Section] = []
    parts: list[_Part] = []
    condition: tuple[str, Decimal] | None = None
    for found in _SCANNED.finditer(number_format):
        kind, value = str(found.lastgroup), found[str(found.lastgroup)]
        if kind == "sign" and value == ";":
            sections.append(_Section(tuple(parts), condition))
            parts, condition = [], None
            continue
        compared = _CONDITION.fullmatch(value) if kind == "bracket" else None
        if compared:
            condition = compared[1], Decimal(compared[2])
            continue
        part = _part(kind, value)
        if part is None:
            return None
        parts += [part] if part.kind != "nothing" else []
    sections.append(_Section(tuple(parts), condition))
    return tuple(sections) if len(sections) <= 4 else None


def _part(kind: str, value: str) -> _Part | None:
    match kind:
        case "quoted" | "escaped":
            return _Part("text", value)
        case "space":
            return _Part("space", " ")
        case "fill":
            return _Part("nothing", "") if value.isspace() else None
        case "general":
            return _Part("general", "")
        case "bracket":
            return _bracket(value)
        case "exponent":
            return _Part("exponent", value)
    if value in _DIGITS:
        return _Part("digit", value)
    named = {".": "point", ",": "comma", "%": "percent", "@": "at"}.get(value)
    if named:
        return _Part(named, value)
    if value in _LITERAL_SIGNS or unicodedata.category(value) == "Sc":
        return _Part("text", value)
    return _Part("text", value) if value.isalpha() and not value.isascii() else None


def _bracket(value: str) -> _Part | None:
    """Read a currency, a language or a colour; None if digits are written in another way."""
    if value.startswith("$"):
        currency = value[1:].partition("-")[0]
        return _Part("currency", currency) if currency else _Part("nothing", "")
    return _Part("nothing", "") if _COLOUR.fullmatch(value) else None


def _numeric(sections: tuple[_Section, ...]) -> tuple[_Section, ...]:
    """Leave the section out that is for texts."""
    has_text = len(sections) == 4 or (len(sections) > 1 and "at" in sections[-1].kinds())
    return sections[:-1] if has_text else sections


def _section_of(number: int | Decimal, sections: tuple[_Section, ...]) -> _Section | None:
    numeric = _numeric(sections)
    if any(each.condition for each in numeric):
        for place, each in enumerate(numeric):
            if each.condition is None and place < len(numeric) - 1:
                return None
            if each.condition is None or _COMPARED[each.condition[0]](number, each.condition[1]):
                return each
        return None
    if number < 0 and len(numeric) > 1:
        return numeric[1]
    return numeric[2] if number == 0 and len(numeric) > 2 else numeric[0]


def _is_of_negatives(section: _Section, sections: tuple[_Section, ...]) -> bool:
    numeric = _numeric(sections)
    return len(numeric) > 1 and section is numeric[1] and not any(each.condition for each in numeric)


def _text(number: int | Decimal, section: _Section, *, is_negative_section: bool) -> str | None:
    """Return what is seen of a whole number; None if separators, decimals or signs depend on the program."""
    kinds = section.kinds()
    if kinds - {"digit", "text", "space", "general", "at", "currency"} or number != int(number):
        return None
    if number < 0 and not is_negative_section:
        return str(number) if kinds == {"digit"} and {each.text for each in section.parts} <= {"0", "#"} else None
    digits = str(abs(int(number)))
    if {"general", "at"} & kinds:
        return "".join(digits if each.kind in ("general", "at") else each.text for each in section.parts)
    return _placed(digits, section.parts)


def _placed(digits: str, parts: tuple[_Part, ...]) -> str:
    """Put digits into their places from the right; those that are too many stand before the first place."""
    places = sum(each.kind == "digit" for each in parts)
    left = "" if digits == "0" else digits
    seen: list[str] = []
    for each in reversed(parts):
        if each.kind != "digit":
            seen.append(each.text)
            continue
        places -= 1
        taken = left if places == 0 else left[-1:]
        left = left[: len(left) - len(taken)]
        seen.append(taken or {"0": "0", "?": " "}.get(each.text, ""))
    return "".join(reversed(seen))


def _is_amount(number: int | Decimal, section: _Section, sections: tuple[_Section, ...]) -> bool:
    kinds = section.kinds()
    written = section.written()
    if kinds & {"percent", "exponent", "at"} or _is_scaled(section):
        return False
    if any(word.lower() not in _CURRENCIES for word in re.findall(r"[^\W_]+", written)):
        return False
    if number == 0:  # bookkeepers write it as a dash
        return "-" in written or "general" in kinds or _Part("digit", "0") in section.parts
    if not kinds & {"digit", "general"}:
        return False
    if _is_of_negatives(section, sections):
        if not ("-" in written or "(" in written):
            return False
    elif "-" in written or "(" in written:
        return False
    return "general" in kinds or _decimals(number) <= _decimal_places(section)


def _is_scaled(section: _Section) -> bool:
    """Whether a comma after the last digit divides by a thousand."""
    shown = "".join(each.text for each in section.parts if each.kind in ("digit", "point", "comma"))
    return shown.partition(".")[0].endswith(",") or shown.endswith(",")


def _decimals(number: int | Decimal) -> int:
    exponent = Decimal(number).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _decimal_places(section: _Section) -> int:
    kinds = [each.kind for each in section.parts]
    return kinds[kinds.index("point") :].count("digit") if "point" in kinds else 0
