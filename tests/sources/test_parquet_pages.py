"""The pages of a Parquet file say how large they become, whatever its footer says: none is unpacked that would not fit."""

import io

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syrve.customers.identities import IdentityReader
from syrve.sources.errors import UnusableSource
from syrve.sources.files import FileSource
from syrve.sources.limits import LIMITS
from syrve.sources.parquet_pages import _Header, longest_texts

COLUMNS = IdentityReader(region="RU", organization_id="5f4e0009-0000-4000-8000-000000000001").columns
LONG, SHORT = "x" * 40_000, "+79750000001"


def written(texts: list[str], **how: object) -> bytes:
    """A Parquet file of one column of phones."""
    content = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"phone": texts}), content, **{"compression": "zstd"} | how)
    return content.getvalue()


def longest(content: bytes) -> int:
    about = pyarrow.parquet.ParquetFile(io.BytesIO(content)).metadata
    return longest_texts(io.BytesIO(content), about, ["phone"], ["phone"], LIMITS)


@pytest.mark.parametrize("codec", ["zstd", "gzip", "brotli"])
def test_small_parquet_with_a_large_page_is_refused(codec: str) -> None:
    content = written(["x" * (LIMITS.max_page_bytes + 1)], compression=codec)
    assert len(content) < 200_000

    with pytest.raises(UnusableSource, match="a page of the file unpacks to more than 50 MB"):
        list(FileSource(io.BytesIO(content), "guests.parquet").chunks(COLUMNS))


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_rows_at_once_follow_the_length_of_texts(version: str) -> None:
    texts = [f"{LONG}{number:06d}" for number in range(200)]

    assert longest(written(texts, use_dictionary=False, data_page_version=version)) >= len(LONG)
    assert longest(written([SHORT] * 100_000, use_dictionary=False, data_page_version=version)) < 100


def test_texts_that_share_their_beginnings_count_as_their_page() -> None:
    texts = [f"{LONG}{number:06d}" for number in range(200)]
    content = written(texts, use_dictionary=False, column_encoding={"phone": "DELTA_BYTE_ARRAY"}, compression="none")

    assert len(content) < 3 * len(LONG)
    assert longest(content) >= len(LONG)


@pytest.mark.parametrize("how", [{}, {"use_dictionary": False}, {"data_page_version": "2.0"}, {"row_group_size": 700}])
def test_every_row_of_an_honest_file_is_read(how: dict[str, object]) -> None:
    phones = [f"+7975{number:07d}" for number in range(25_000)]

    chunks = FileSource(io.BytesIO(written(phones, **how)), "guests.parquet").chunks(COLUMNS)

    assert sum(len(chunk.rows) for chunk in chunks) == len(phones)


@given(st.binary(max_size=200))
def test_header_of_any_bytes_ends_or_is_refused(data: bytes) -> None:
    header = _Header(data)
    try:
        header.read()
    except (IndexError, ValueError):
        return
    assert header.at > 0
