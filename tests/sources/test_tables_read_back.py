"""Any table that is written as a file is read back equal, or refused; never different."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from syrve.sources.columns import Columns
from syrve.sources.errors import BadRow, UnusableSource
from syrve.sources.file_format import FileFormat
from syrve.sources.files import FileSource
from syrve.sources.formulas import as_it_was
from syrve.sources.row import Row
from syrve.sources.values import clean_text

COLUMNS = Columns(("name", "card_track", "amount", "birthday", "occurred_at"), any_of=("name",))
HEADINGS = ["name", "card_track", "amount", "birthday", "occurred_at"]

TEXTS = st.text(max_size=20) | st.sampled_from(
    ["", "NULL", "\\N", "NA", 'a"b', '"', "a;b", "a,b", "a\nb", "'x", '="7"', "1.0", "1E+15", "'="]
)
TABLES = st.lists(
    st.tuples(
        TEXTS,
        st.text(alphabet="0123456789AБ-", max_size=25),
        st.decimals(min_value=-(10**12), max_value=10**12, places=2) | st.integers(-(10**17), 10**17).map(Decimal),
        st.dates(min_value=date(1900, 3, 1), max_value=date(2100, 1, 1)),
        st.integers(-(10**9), 4 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)),
    ),
    max_size=6,
)
Rows = list[tuple[Any, ...]]


def saved(book: openpyxl.Workbook) -> bytes:
    """The content of a workbook's file."""
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def cleaned(text: str) -> str | None:
    """What a text is after the documented treatment of white space and invisible characters."""
    return clean_text(text) or None


def read(content: bytes, name: str, **stated: Any) -> tuple[dict[int, Row], set[int]] | None:
    """Read a file; return its rows by line and the lines that are rejected, None if the whole of it is refused."""
    try:
        chunks = list(FileSource(io.BytesIO(content), name, FileFormat.of(stated)).chunks(COLUMNS))
    except UnusableSource:
        return None
    rows = {row.line: row for chunk in chunks for row in chunk.rows}
    return rows, {bad.line for chunk in chunks for bad in chunk.bad}


def check(row: Row, expected: tuple[Any, ...]) -> None:
    """Each cell of a row that is read is what was written, or a refusal."""
    name, card, amount, birthday, occurred_at = expected
    readers: list[tuple[Callable[[str], Any], str, Any]] = [
        (row.text, "name", cleaned_or_none(name)),
        (row.code, "card_track", cleaned_or_none(card)),
        (row.amount, "amount", amount),
        (row.day, "birthday", birthday),
        (row.moment, "occurred_at", occurred_at.replace(tzinfo=UTC)),
    ]
    for reader, column, value in readers:
        try:
            found = reader(column)
        except BadRow:
            continue
        assert found == value or unwrapped(column, value) == found, column


def cleaned_or_none(text: str) -> str | None:
    try:
        return cleaned(text)
    except BadRow:
        return None


def unwrapped(column: str, value: Any) -> Any:
    """The spellings of a spreadsheet, and of our own files for it, that are documented as its text."""
    if isinstance(value, str) and len(value) > 3 and value.startswith('="') and value.endswith('"'):
        return value[2:-1]
    if isinstance(value, str) and as_it_was(value) != value:
        return cleaned_or_none(as_it_was(value))
    return value.removeprefix("'") if isinstance(value, str) and column == "card_track" else value


def texts_of(rows: Rows, decimal_mark: str) -> list[list[str]]:
    return [
        [name, card, f"{amount:f}".replace(".", decimal_mark), birthday.strftime("%d.%m.%Y"), f"{at.isoformat()}"]
        for name, card, amount, birthday, at in rows
    ]


def as_csv(rows: Rows, separator: str, encoding: str, decimal_mark: str, end: str, quoting: Any) -> bytes:
    text = io.StringIO(newline="")
    if any("\r" in each for row in rows for each in row[:2]):
        quoting = (
            csv.QUOTE_ALL
        )  # Python's writer leaves a lone carriage return without quotes, and so makes two lines of one
    writer = csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting)
    writer.writerow(HEADINGS)
    writer.writerows(texts_of(rows, decimal_mark))
    return text.getvalue().encode(encoding, "strict")


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1251", "koi8-r", "cp866", "mac_cyrillic", "cp1250", "cp1252"],
)
@given(
    rows=TABLES,
    separator=st.sampled_from([",", ";", "\t", "|"]),
    decimal_mark=st.sampled_from([".", ","]),
    is_stated=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_table_in_csv_reads_back_equal_or_refused(
    encoding: str, rows: Rows, separator: str, decimal_mark: str, is_stated: bool, end: str, quoting: Any
) -> None:
    try:
        content = as_csv(rows, separator, encoding, decimal_mark, end, quoting)
    except UnicodeEncodeError:
        return
    stated: dict[str, Any] = (
        {"decimal_mark": decimal_mark, "encoding": encoding, "separator": separator} if is_stated else {}
    )

    found = read(content, "table.csv", **stated)

    if found is None:
        assert not (is_stated and encoding.startswith("utf"))
        return
    starts = record_lines(content.decode(encoding), separator)
    assert set(starts[1:]) <= found[0].keys() | found[1], "no row is lost without a word"
    for line, row in found[0].items():
        check(row, rows[starts.index(line) - 1])


def record_lines(text: str, separator: str) -> list[int]:
    """The line on which each record begins, as Python's own reader counts them."""
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=separator)
    starts, before = [], 0
    for _ in reader:
        starts.append(before + 1)
        before = reader.line_num
    return starts


@given(rows=TABLES)
def test_table_in_excel_reads_back_equal_or_refused(rows: Rows) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].append(HEADINGS)
    written = []
    for name, card, amount, birthday, at in rows:
        texts = [
            None if ILLEGAL_CHARACTERS_RE.search(each) or "\ud800" <= max(each, default="") <= "\udfff" else each
            for each in (name, card)
        ]
        book.worksheets[0].append([*texts, amount, birthday, at])
        for place, text in enumerate(texts, start=1):
            if text is not None and text.startswith("="):
                book.worksheets[0].cell(row=book.worksheets[0].max_row, column=place).data_type = "s"
        written.append((texts[0] or "", texts[1] or "", amount, birthday, at))

    found = read(saved(book), "table.xlsx")

    assert found is not None
    assert set(range(2, len(rows) + 2)) == found[0].keys() | found[1]
    for line, row in found[0].items():
        check(row, written[line - 2])


@pytest.mark.parametrize(
    ("number", "number_format", "expected"),
    [
        (123, "000000", "000123"),
        (123, "000000;-000000", "000123"),
        (1234567, "000000", "1234567"),
        (123, "0", "123"),
        (123, "General", "123"),
    ],
)
def test_excel_number_keeps_the_zeros_that_are_shown(number: int, number_format: str, expected: str) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["name", "card_track", "amount"])
    book.worksheets[0].append(["Анна", number, number])
    for cell in book.worksheets[0][2][1:]:
        cell.number_format = number_format
    found = read(saved(book), "table.xlsx")

    assert found is not None
    assert found[0][2].code("card_track") == expected
    assert found[0][2].amount("amount") == number


@given(rows=TABLES.map(lambda rows: [each for each in rows if all(c < "\ud800" or c > "\udfff" for c in each[0])]))
def test_table_in_parquet_reads_back_equal_or_refused(rows: Rows) -> None:
    kinds = [pyarrow.string(), pyarrow.string(), pyarrow.decimal128(38, 2), pyarrow.date32(), pyarrow.timestamp("us")]
    columns = [pyarrow.array([row[place] for row in rows], kind) for place, kind in enumerate(kinds)]
    content = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns, names=HEADINGS), content)

    found = read(content.getvalue(), "table.parquet")

    assert found is not None
    assert len(found[0]) == len(rows)
    for line, row in found[0].items():
        check(row, rows[line - 1])


@given(numbers=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=8))
def test_whole_numbers_with_gaps_keep_every_digit(numbers: list[int | None]) -> None:
    content = io.BytesIO()
    table = pyarrow.table({"name": ["x"] * len(numbers), "card_track": pyarrow.array(numbers, pyarrow.int64())})
    pyarrow.parquet.write_table(table, content)

    found = read(content.getvalue(), "table.parquet")

    assert found is not None
    assert [row.code("card_track") for row in found[0].values()] == [
        None if each is None else str(each) for each in numbers
    ]
