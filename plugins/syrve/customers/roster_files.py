"""Reads roster files as frames of text columns: CSV, Parquet or Excel."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

import pandas as pd

from syrve.customers.errors import UnreadableSource, UnusableSource
from syrve.customers.identities import CHUNK_ROWS

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".xlsx")
_SEPARATORS = (",", ";", "\t")
_BROKEN_FILE = (ValueError, LookupError, EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error)


def file_frames(file: IO[bytes], name: str) -> Iterator[pd.DataFrame]:
    """Read a file opened in binary mode, by the ending of its name, a chunk at a time.

    Raises `UnusableSource` where it is not such a file, `UnreadableSource` where its storage fails.

    CSV has a header line and is separated by commas, semicolons or tabs. Of an Excel file the first sheet is read.
    """
    lower = name.lower()
    try:
        if lower.endswith(".csv"):
            yield from _csv_frames(file)
        elif lower.endswith(".csv.gz"):
            yield from _csv_frames(gzip.GzipFile(fileobj=file))
        elif lower.endswith(".parquet"):
            yield from _parquet_frames(file)
        elif lower.endswith(".xlsx"):
            yield from _excel_frames(file)
        else:
            raise UnusableSource(f"the file must end in one of {', '.join(SUFFIXES)}")
    except UnusableSource:
        raise
    except _BROKEN_FILE as error:
        ending = next(each for each in SUFFIXES if lower.endswith(each))
        raise UnusableSource(f"the file is not readable as {ending} ({type(error).__name__})") from None
    except Exception as error:  # noqa: BLE001 - each storage has errors of its own, whose texts may quote rows
        raise UnreadableSource(f"reading the file broke off ({type(error).__name__})") from None


def _csv_frames(file: IO[bytes] | gzip.GzipFile) -> Iterator[pd.DataFrame]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    try:
        header = text.readline()
        if not header.strip():
            raise UnusableSource("the file must begin with a line of column names")
        separator = max(_SEPARATORS, key=header.count)
        names = next(csv.reader([header], delimiter=separator), [])
        # index_col=False: otherwise a separator at the end of each line would shift every column by one.
        yield from pd.read_csv(
            text,
            header=None,
            names=names,
            index_col=False,
            sep=separator,
            dtype=str,
            keep_default_na=False,
            chunksize=CHUNK_ROWS,
        )
    finally:
        text.detach()  # the file is whoever's opened it, to be closed by them


def _parquet_frames(file: IO[bytes]) -> Iterator[pd.DataFrame]:
    import pyarrow.parquet

    for batch in pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=CHUNK_ROWS):
        yield batch.to_pandas()


def _excel_frames(file: IO[bytes]) -> Iterator[pd.DataFrame]:
    frame = pd.read_excel(file, dtype=str, engine="openpyxl")
    for start in range(0, max(1, len(frame)), CHUNK_ROWS):
        yield frame.iloc[start : start + CHUNK_ROWS]
