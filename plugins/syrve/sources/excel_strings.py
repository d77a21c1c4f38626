"""The texts that the cells of an .xlsx share; parts in bold or in colour are put together, phonetic ones left out."""

from __future__ import annotations

import re

from syrve.sources.errors import UnusableSource
from syrve.sources.excel_xml import MAIN, TOO_LARGE, Archive, new_parser
from syrve.sources.limits import Limits

_DEEPEST = 20
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_HALF = re.compile("[\ud800-\udfff]")
_PHONETIC = f"{MAIN}}}rPh"
_TEXT = f"{MAIN}}}t"
_ITEM = f"{MAIN}}}si"


def as_typed(text: str) -> str:
    """Return a text with the characters that the format of the file writes as `_x000D_`, or in two halves as `_xD83D__xDE00_`.

    A half alone is U+FFFD, by which the row is refused: no database takes it, nor a file of bad rows.
    """
    if "_x" not in text:
        return text
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") if _HALF.search(text) else text


class RichText:
    """Puts a text of several runs together: hand it the begin and the end of each element, and the characters."""

    def __init__(self, limits: Limits) -> None:
        self._most = limits.max_line_length
        self._pieces: list[str] = []
        self._length = 0
        self._is_open = False
        self._phonetic = 0

    def start(self, name: str) -> None:
        """Begin an element."""
        self._phonetic += name == _PHONETIC
        self._is_open = name == _TEXT and not self._phonetic

    def end(self, name: str) -> None:
        """End an element."""
        self._phonetic -= name == _PHONETIC
        self._is_open = False

    def add(self, text: str) -> None:
        """Add characters, if they are of the text; raise `UnusableSource` if it is longer than any cell may be."""
        if self._is_open:
            self._length += len(text)
            if self._length > self._most:
                raise UnusableSource(TOO_LARGE)
            self._pieces.append(text)

    def take(self) -> str:
        """Return the text, and begin another."""
        text = as_typed("".join(self._pieces))
        self.clear()
        return text

    def clear(self) -> None:
        """Begin another text."""
        self._pieces.clear()
        self._length = self._phonetic = 0
        self._is_open = False


def read_strings(archive: Archive, name: str) -> list[str]:
    """Return the texts of the part; raise `UnusableSource` if they are more than may be in memory."""
    limits = archive.limits
    if archive.getinfo(name).file_size > limits.max_sheet_bytes // 10:
        raise UnusableSource(TOO_LARGE)
    strings: list[str] = []
    rich, tags, depth = RichText(limits), 0, 0

    def start(element: str, _: dict[str, str]) -> None:
        nonlocal tags, depth
        tags += 1
        depth += 1
        if tags > limits.max_string_tags or depth > _DEEPEST:
            raise UnusableSource(TOO_LARGE)
        rich.start(element)

    def end(element: str) -> None:
        nonlocal depth
        depth -= 1
        rich.end(element)
        if element == _ITEM:
            strings.append(rich.take())

    archive.read_through(name, new_parser(start, end, rich.add))
    return strings
