"""What Excel, 1C, Google Sheets and LibreOffice make of texts and dates: read as a person sees it, or refused; never something else."""

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date
from typing import Any

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from syrve.crm.import_rows import RowReader
from syrve.sources.errors import BadRow, UnusableSource
from syrve.sources.file_format import FileFormat
from syrve.sources.files import FileSource
from syrve.sources.row import Row

READER = RowReader(region="RU", organization_id="5f4e000a-0000-4000-8000-000000000001")
PHONE = "+79755550001"
POLISH = {"Telefon": "phone", "Imię": "name"}


def rows(content: bytes, name: str = "guests.csv", **stated: Any) -> list[Row]:
    chunks = FileSource(io.BytesIO(content), name, FileFormat.of(stated)).chunks(READER.columns)
    return [row for chunk in chunks for row in chunk.rows]


def workbook(*table: list[Any], change: Callable[[bytes], bytes] = bytes, epoch: Any = None) -> bytes:
    book = openpyxl.Workbook()
    book.epoch = epoch or book.epoch
    for row in table:
        book.worksheets[0].append(row)
    made = io.BytesIO()
    book.save(made)
    changed = io.BytesIO()
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(changed, "w") as target:
        for each in source.namelist():
            target.writestr(each, change(source.read(each)))
    return changed.getvalue()


def names(content: bytes, name: str = "guests.csv", **stated: Any) -> list[str | None]:
    return [row.text("name") for row in rows(content, name, **stated)]


@pytest.mark.parametrize(
    "text",
    ["РђРЅРЅР°", "ÐÐ½Ð½Ð°", "Ð\u0090Ð½Ð½Ð°", "СЋР»СЏ", "Мария РџРµС‚СЂРѕРІР°", "????", "???? ??????", "Ан\ufffdа"],
)
def test_text_that_was_decoded_wrongly_is_rejected(text: str) -> None:
    [row] = rows(f"phone;name\n{PHONE};{text}\n".encode())

    with pytest.raises(BadRow, match=r"^name holds characters that were lost"):
        READER.values(row)


@pytest.mark.parametrize(
    "text", ["Анна?", "?", "РСУ", "Рём", "Сё Ри", "«Роза»", "Ñoño", "Ana Ðurić", "Р. С. Сёмина", "Роза–Ё"]
)
def test_text_that_only_looks_odd_is_read(text: str) -> None:
    assert names(f"phone;name\n{PHONE};{text}\n".encode()) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "#N/A",
        "#Н/Д",
        "#N/D!",
        "#REF!",
        "#ССЫЛКА!",
        "#ADR!",
        "#ИМЯ?",
        "#NAME?",
        "#DIV/0!",
        "#ДЕЛ/0!",
        "#####",
        "Err:502",
    ],
)
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_error_of_a_spreadsheet_is_no_name(text: str, ending: str) -> None:
    table = [["phone", "name"], [PHONE, text]]
    content = workbook(*table) if ending == "xlsx" else "\n".join(";".join(row) for row in table).encode()

    [row] = rows(content, f"guests.{ending}")

    with pytest.raises(BadRow, match=r"^name holds an error of the spreadsheet"):
        READER.values(row)


def test_text_that_a_spreadsheet_made_a_date_is_no_name() -> None:
    [row] = rows(workbook(["phone", "name"], [PHONE, date(2026, 5, 1)]), "guests.xlsx")

    with pytest.raises(BadRow, match=r"^name is a date, as spreadsheets make of some texts"):
        READER.values(row)


def test_characters_that_excel_escapes_are_read_as_typed() -> None:
    content = workbook(
        ["phone", "name"],
        [PHONE, "Анна_x000D_"],
        [PHONE, "_x005F_x0041_"],
        [PHONE, "a_xyz_"],
    )

    assert names(content, "guests.xlsx") == ["Анна", "_x0041_", "a_xyz_"]


def test_dates_counted_from_1904_are_the_same_days() -> None:
    [row] = rows(workbook(["phone", "birthday"], [PHONE, date(1990, 5, 15)], epoch=CALENDAR_MAC_1904), "guests.xlsx")

    assert row.day("birthday") == date(1990, 5, 15)


def test_cells_without_addresses_are_read_as_1c_writes_them() -> None:
    content = workbook(
        ["Телефон", "Имя", "Дата рождения"],
        [PHONE, "Анна", "15.05.1990 0:00:00"],
        change=lambda part: re.sub(rb' r="[A-Z]*[0-9]+"', b"", part),
    )

    [row] = rows(content, "guests.xlsx")

    assert (row.text("name"), row.day("birthday")) == ("Анна", date(1990, 5, 15))


def test_strict_workbook_is_refused_with_what_to_do() -> None:
    office, strict = b"http://schemas.openxmlformats.org/", b"http://purl.oclc.org/ooxml/"
    kinds = (b"spreadsheetml/2006/main", b"spreadsheetml/main"), (b"officeDocument/2006/", b"officeDocument/")

    def change(part: bytes) -> bytes:
        for usual, other in kinds:
            part = part.replace(office + usual, strict + other)
        return part

    with pytest.raises(UnusableSource, match="not as Strict Open XML"):
        rows(workbook(["phone", "name"], [PHONE, "Анна"], change=change), "guests.xlsx")


@pytest.mark.parametrize("encoding", ["cp1250", "iso8859_2"])
def test_polish_letters_tell_two_encodings_apart(encoding: str) -> None:
    content = f"Telefon;Imię\r\n{PHONE};Święś Łucja\r\n".encode(encoding)

    assert names(content, columns=POLISH) == ["Święś Łucja"]


@pytest.mark.parametrize("encoding", ["cp1250", "iso8859_2"])
def test_polish_letters_that_leave_a_doubt_are_refused(encoding: str) -> None:
    """The bytes of these are letters in both."""
    differing = [
        each for each in range(0xA0, 0x100) if len({*(bytes([each]).decode(one) for one in POLISH_CODECS)}) > 1
    ]
    both = [each for each in differing if all(bytes([each]).decode(one).isalpha() for one in POLISH_CODECS)]
    content = f"Telefon;Imię\r\n{PHONE};".encode(encoding) + bytes(both[:1]) + b"\r\n"

    with pytest.raises(UnusableSource, match="state the encoding"):
        rows(content, columns=POLISH)


POLISH_CODECS = ("cp1250", "iso8859_2")


@pytest.mark.parametrize(
    ("line", "card"),
    [("1234;", "1234"), ("1234,,", "1234"), ("1234\t", "1234"), ('"12;34"', "12;34"), ("12 34", "12 34")],
)
def test_separator_under_a_single_heading_is_no_part_of_a_card(line: str, card: str) -> None:
    [row] = rows(f"crm_id\n{line}\n".encode())

    assert row.code("crm_id") == card


@pytest.mark.parametrize("line", ["1234;Анна", "; 77", "1234\tАнна", "12,34"])
def test_second_field_under_a_single_heading_is_a_bad_line(line: str) -> None:
    [chunk] = FileSource(io.BytesIO(f"phone\n{line}\n".encode()), "guests.csv").chunks(READER.columns)

    assert chunk.rows == []
    assert [bad.reason for bad in chunk.bad] == ["has 2 fields, more than the 1 columns"]


def test_first_day_of_1900_is_no_birthday() -> None:
    [row] = rows(f"phone;birthday\n{PHONE};1900-01-01\n".encode())

    with pytest.raises(BadRow, match="birthday is before 1900"):
        READER.values(row)
