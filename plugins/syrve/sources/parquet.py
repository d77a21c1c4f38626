"""Reads Parquet, only the columns that are known, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from syrve.optional import require_extra
from syrve.sources.columns import Columns
from syrve.sources.errors import UnusableSource
from syrve.sources.file_format import FileFormat
from syrve.sources.limits import LIMITS, Limits
from syrve.sources.parquet_pages import longest_texts
from syrve.sources.source import CHUNK_ROWS, Chunk, Facts, Line, tabulate

_MAX_FIXED_BYTES = 64
_BUFFER_BYTES = 1 << 20


def parquet_chunks(
    file: IO[bytes], columns: Columns, file_format: FileFormat, facts: Facts, limits: Limits = LIMITS
) -> Iterator[Chunk]:
    """Give the rows of a Parquet file; raise `UnusableSource`."""
    require_extra("parquet", "a .parquet file", UnusableSource)
    import pyarrow
    import pyarrow.parquet

    facts.format = "Parquet"
    try:
        schema = pyarrow.parquet.read_schema(file)
        file.seek(0)
        names = list(schema.names)
        if len(names) > limits.max_columns:
            raise UnusableSource(f"the file has more than {limits.max_columns} columns")
        matched = columns.match(names, file_format.columns)
        places = matched.places
        for place in places:
            if not _is_plain(schema.field(place).type):
                raise UnusableSource(
                    f"column {place + 1} of the file is a list, a map or another type that no cell holds"
                )
        # Texts that repeat are stored once, and a small file of them may unpack to any size: they stay so until their length is known.
        repeated = [names[place] for place in places if _is_text(schema.field(place).type)]
        table = pyarrow.parquet.ParquetFile(file, read_dictionary=repeated, buffer_size=_BUFFER_BYTES)
        _check_size(table, limits)
        length = longest_texts(file, table.metadata, [names[place] for place in places], repeated, limits)
        rows = max(1, min(CHUNK_ROWS, limits.max_page_bytes // max(1, length)))
        lines = _lines(table, names, sorted(places), limits, rows)
        yield from tabulate(matched, lines, columns, file_format, facts, limits=limits, keep_blank=True)
    except (pyarrow.ArrowException, OSError) as error:
        raise UnusableSource(f"the file is not readable as .parquet ({type(error).__name__})") from None


def _is_text(kind: Any) -> bool:
    import pyarrow

    return bool(
        pyarrow.types.is_string(kind)
        or pyarrow.types.is_large_string(kind)
        or pyarrow.types.is_binary(kind)
        or pyarrow.types.is_large_binary(kind)
    )


def _is_plain(kind: Any) -> bool:
    """Whether cells of the type have a size that is bounded, or that of a text, which is looked at before it is unpacked."""
    import pyarrow

    types = pyarrow.types
    if types.is_dictionary(kind):
        return _is_text(kind.value_type)
    if types.is_fixed_size_binary(kind):
        return bool(kind.byte_width <= _MAX_FIXED_BYTES)
    if isinstance(kind, pyarrow.BaseExtensionType):
        return bool(kind.extension_name == "arrow.uuid")
    return _is_text(kind) or bool(types.is_primitive(kind) or types.is_decimal(kind) or types.is_null(kind))


def _check_size(table: Any, limits: Limits) -> None:
    about = table.metadata
    if about.num_rows > limits.max_rows:
        raise UnusableSource(f"the source has more than {limits.max_rows:,} rows; divide it")
    if sum(about.row_group(each).total_byte_size for each in range(about.num_row_groups)) > limits.max_bytes:
        raise UnusableSource(f"the file is larger than {limits.max_bytes // 1_000_000:,} MB; divide it")


def _lines(table: Any, names: list[str], places: list[int], limits: Limits, rows: int) -> Iterator[Line]:
    number = 0
    for batch in table.iter_batches(batch_size=rows, columns=[names[place] for place in places]):
        longest = sum(_longest(column, limits) for column in batch.columns)
        step = max(1, limits.max_chunk_length // max(1, longest))
        for start in range(0, batch.num_rows, step):
            part = batch.slice(start, step)
            read = {name: part.column(name).to_pylist() for name in part.schema.names}
            for row in range(part.num_rows):
                number += 1
                cells: list[Any] = [None] * len(names)
                for place in places:
                    cells[place] = read[names[place]][row]
                yield number, cells


def _longest(column: Any, limits: Limits) -> int:
    """Return the length in bytes of the longest text of a column, 0 if it holds none; refuse the file beyond the limit."""
    import pyarrow
    import pyarrow.compute

    texts = column.dictionary if pyarrow.types.is_dictionary(column.type) else column
    if not (_is_text(texts.type) and len(texts)):
        return 0
    longest = pyarrow.compute.max(pyarrow.compute.binary_length(texts)).as_py() or 0
    if longest > limits.max_cell_length:
        raise UnusableSource(f"a cell of the file is longer than {limits.max_cell_length:,} characters")
    return int(longest)
