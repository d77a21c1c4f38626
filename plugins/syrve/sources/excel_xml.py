"""Reads the parts of an .xlsx in pieces, and keeps of each only what an import needs: a small file can hold a part that is large in memory.

Source of the format: ECMA-376, part 1, 18 (SpreadsheetML), and part 2 (Open Packaging Conventions).
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple
from xml.parsers import expat

from syrve.sources.errors import UnusableSource
from syrve.sources.limits import Deadline, Limits

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATION_ID = "http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
TOO_LARGE = "the file unpacks to more than a spreadsheet may hold; save the table as .csv"
_STEP_BYTES = 1 << 20

Start = Callable[[str, dict[str, str]], None]
"""What is called for the begin of an element: its name as `namespace}name`, and its attributes."""


class Element(NamedTuple):
    """The begin of an element: its name and its parent's without namespaces, the parent's empty for the first one."""

    parent: str
    name: str
    attributes: dict[str, str]


class Related(NamedTuple):
    """A part that another one refers to: its name, and what it is."""

    part: str
    kind: str


class Archive(zipfile.ZipFile):
    """The zip file of an .xlsx, whose parts are read in pieces."""

    def __init__(self, file: IO[bytes], limits: Limits, deadline: Deadline) -> None:
        super().__init__(file)
        self.limits = limits
        self._deadline = deadline
        self._names = {_folded(each): each for each in self.namelist()}

    def found(self, name: str) -> str | None:
        """Return a part as the file spells its name, None if it has none: 1C writes `SharedStrings.xml`, others `xl\\workbook.xml`."""
        return name if name in self.NameToInfo else self._names.get(_folded(name))

    def fed(self, name: str, parser: expat.XMLParserType) -> Iterator[None]:
        """Feed a part to a parser, and return after each piece; raise `UnusableSource` for one token of megabytes, or if time is up."""
        without_tag = 0
        with self.open(self.found(name) or name) as content:
            while piece := content.read(_STEP_BYTES):
                self._deadline.check(0)
                without_tag = 0 if b"<" in piece else without_tag + 1
                if without_tag > 1:
                    raise UnusableSource(TOO_LARGE)
                parser.Parse(piece)
                yield
            parser.Parse(b"", True)
            yield

    def read_through(self, name: str, parser: expat.XMLParserType) -> None:
        """Feed a whole part to a parser."""
        for _ in self.fed(name, parser):
            pass

    def elements(self, name: str, **wanted: tuple[str, ...]) -> list[Element]:
        """Return the elements of these names of a part, with these of their attributes; raise `UnusableSource` if it has too many."""
        found: list[Element] = []
        path: list[str] = [""]
        count = 0

        def start(full_name: str, attributes: dict[str, str]) -> None:
            nonlocal count
            count += 1
            if count > self.limits.max_part_tags:
                raise UnusableSource(TOO_LARGE)
            own_name = full_name.rpartition("}")[2]
            if own_name in wanted:
                kept = {key: attributes[key] for key in wanted[own_name] if key in attributes}
                found.append(Element(path[-1], own_name, kept))
            path.append(own_name)

        self.read_through(name, new_parser(start, lambda _: path.pop()))
        return found

    def related(self, name: str) -> dict[str, Related]:
        """Return the parts that a part refers to, by the ids that it uses for them."""
        folder, own_name = posixpath.split(name)
        relations = f"{folder}/_rels/{own_name}.rels".lstrip("/")
        elements = self.elements(relations, Relationship=("Id", "Target", "Type", "TargetMode"))
        inner = [each.attributes for each in elements if each.attributes.get("TargetMode") != "External"]
        return {
            each["Id"]: Related(_part_at(folder, each["Target"]), each.get("Type", ""))
            for each in inner
            if "Id" in each and "Target" in each
        }


def _folded(name: str) -> str:
    """Return the name of a part as one compares them (ECMA-376, part 2, 6.2.2.3); Excel takes backslashes as well."""
    return name.replace("\\", "/").lstrip("/").lower()


def _part_at(folder: str, target: str) -> str:
    return posixpath.normpath(posixpath.join("/", folder, target.replace("\\", "/"))).lstrip("/")


def new_parser(
    start: Start, end: Callable[[str], object], text: Callable[[str], object] | None = None
) -> expat.XMLParserType:
    """Return a parser that calls these; it refuses a document type, as no workbook has one, and so every entity."""
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = _refuse_type
    if text is not None:
        parser.CharacterDataHandler = text
    return parser


def _refuse_type(*_: object) -> None:
    raise UnusableSource("the file is not readable as .xlsx (it declares a document type)")
