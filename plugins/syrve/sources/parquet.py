"""Reads Parquet, only the columns that are known, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from syrve.optional import require_extra
from syrve.sources.columns import Columns
from syrve.sources.errors import UnusableSource
from syrve.sources.file_format import FileFormat
from syrve.sources.limits import LIMITS, Limits
from syrve.sources.source import CHUNK_ROWS, Chunk, Facts, Line, tabulate


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
        places = columns.match(names, file_format.columns).places
        # Texts that repeat are stored once, and a small file of them may unpack to any size: they stay so until their length is known.
        repeated = [names[place] for place in places if _is_text(schema.field(place).type)]
        table = pyarrow.parquet.ParquetFile(file, read_dictionary=repeated)
        _check_size(table, limits)
        lines = _lines(table, names, sorted(places), limits)
        yield from tabulate(names, lines, columns, file_format, facts, limits=limits, keep_blank=True)
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


def _check_size(table: Any, limits: Limits) -> None:
    about = table.metadata
    if about.num_rows > limits.max_rows:
        raise UnusableSource(f"the source has more than {limits.max_rows:,} rows; divide it")
    if sum(about.row_group(each).total_byte_size for each in range(about.num_row_groups)) > limits.max_bytes:
        raise UnusableSource(f"the file is larger than {limits.max_bytes // 1_000_000:,} MB; divide it")


def _lines(table: Any, names: list[str], places: list[int], limits: Limits) -> Iterator[Line]:
    import pyarrow
    import pyarrow.compute

    number = 0
    for batch in table.iter_batches(batch_size=CHUNK_ROWS, columns=[names[place] for place in places]):
        read: dict[str, list[Any]] = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            texts = column.dictionary if pyarrow.types.is_dictionary(column.type) else column
            if _is_text(texts.type) and len(texts):
                longest = pyarrow.compute.max(pyarrow.compute.binary_length(texts)).as_py()
                if longest and longest > limits.max_cell_length:
                    raise UnusableSource(f"a cell of the file is longer than {limits.max_cell_length:,} characters")
            read[name] = column.to_pylist()
        for row in range(batch.num_rows):
            number += 1
            cells: list[Any] = [None] * len(names)
            for place in places:
                cells[place] = read[names[place]][row]
            yield number, cells
