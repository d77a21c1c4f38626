"""Looks at the pages of a Parquet file before one is unpacked: each says itself how large it becomes; the file's footer may say anything.

The headers are Thrift's compact protocol (parquet.thrift, PageHeader); pyarrow does not show them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import IO, Any

from syrve.sources.errors import UnusableSource
from syrve.sources.limits import Deadline, Limits

_MOST_HEADER_BYTES = 1 << 20
_UNPACKED, _PACKED = (0, 2), (0, 3)
_VALUES, _DELTA_BYTE_ARRAY = 1, 7
_DATA_PAGES = ((5, 2), (8, 4))
"""The structures of data pages of both versions, and the field of each that says the encoding."""
_STOP, _BYTE, _DOUBLE, _BINARY, _STRUCT = 0, 3, 7, 8, 12


@dataclass(slots=True)
class _Header:
    """A page's header as it is read; `numbers` are its fields, by their number and before it that of the structure they are in, or 0."""

    data: bytes
    at: int = 0
    numbers: dict[tuple[int, int], int] = field(default_factory=dict)

    def read(self, within: int = 0, depth: int = 0) -> None:
        """Read it; raises IndexError or ValueError for what is none."""
        if depth > 8:
            raise ValueError("too deep")
        last = 0
        while (kind := self._byte()) != _STOP:
            last = last + (kind >> 4) if kind >> 4 else self._zigzag()
            if kind & 15 in (4, 5, 6):
                number = self._zigzag()
                if depth < 2:
                    self.numbers[within, last] = number
            elif kind & 15 == _STRUCT:
                self.read(last, depth + 1)
            else:
                self._skip(kind & 15)

    def _byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def _varint(self) -> int:
        result = shift = 0
        while True:
            byte = self._byte()
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return result
            if shift > 63:
                raise ValueError("a number without an end")

    def _zigzag(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)

    def _skip(self, kind: int) -> None:
        if kind == _BINARY:
            length = self._varint()
            self.at += length
        elif kind in (_BYTE, _DOUBLE):
            self.at += 1 if kind == _BYTE else 8
        elif kind not in (1, 2):  # no header has lists or maps
            raise ValueError("an unknown kind")


def longest_texts(file: IO[bytes], about: Any, names: Collection[str], texts: Collection[str], limits: Limits) -> int:
    """Return how many bytes the texts of one row have at most, over some rows; `about` is the footer as pyarrow has it.

    Raises `UnusableSource` for a page of these columns that is none, or unpacks to more than `max_page_bytes`.
    """
    deadline, longest = Deadline(limits), dict.fromkeys(names, 0)
    for group in range(about.num_row_groups):
        for place in range(about.row_group(group).num_columns):
            column = about.row_group(group).column(place)
            if column.path_in_schema in longest:
                most = _longest_text(file, column, limits, deadline)
                longest[column.path_in_schema] = max(longest[column.path_in_schema], most)
    return sum(longest[name] for name in texts)


def _longest_text(file: IO[bytes], column: Any, limits: Limits, deadline: Deadline) -> int:
    at = min((each for each in (column.dictionary_page_offset, column.data_page_offset) if each), default=0)
    ends, most = at + column.total_compressed_size, 0
    while at < ends:
        deadline.check(0)
        file.seek(at)
        header = _Header(file.read(min(_MOST_HEADER_BYTES, max(0, ends - at))))
        try:
            header.read()
            unpacked, packed = header.numbers[_UNPACKED], header.numbers[_PACKED]
        except (IndexError, KeyError, ValueError):
            raise UnusableSource("the file is not readable as .parquet: a page has no header") from None
        if unpacked < 0 or packed < 0:
            raise UnusableSource("the file is not readable as .parquet: a page has no size")
        if unpacked > limits.max_page_bytes:
            raise UnusableSource(
                f"a page of the file unpacks to more than {limits.max_page_bytes // 1_000_000:,} MB; write it with smaller pages"
            )
        most = max(most, _text_length(header, unpacked))
        at += header.at + packed
    return most


def _text_length(header: _Header, unpacked: int) -> int:
    """Return the mean length of a page's texts; of those that share their beginnings (delta) each may be as long as the page."""
    for structure, encoding in _DATA_PAGES:
        values = header.numbers.get((structure, _VALUES))
        if values is not None:
            shares = header.numbers.get((structure, encoding)) == _DELTA_BYTE_ARRAY
            return unpacked if shares else unpacked // max(1, values) + 1
    return 0
