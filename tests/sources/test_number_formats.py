"""What a spreadsheet shows of a cell by its number format is what is read of it, or the cell is refused."""

import io
from datetime import date
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from syrve.sources.columns import Columns
from syrve.sources.errors import BadRow
from syrve.sources.file_format import FileFormat
from syrve.sources.files import FileSource
from syrve.sources.number_format import FormattedNumber, seen_number, seen_text, shows_whole_date
from syrve.sources.row import Row

COLUMNS = Columns(("phone", "card_track", "amount", "birthday", "name", "receives_promo"), any_of=("phone",))
ACCOUNTING = '_-* #,##0.00\\ "₽"_-;\\-* #,##0.00\\ "₽"_-;_-* "-"??\\ "₽"_-;_-@_-'
PHONES = "[<=9999999]###\\-####;\\(###\\)\\ ###\\-####"


def cell(name: str, value: Any, number_format: str) -> Row:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["phone", name])
    sheet.append(["+79755550001", value])
    sheet["B2"].number_format = number_format
    saved = io.BytesIO()
    book.save(saved)
    saved.seek(0)
    source = FileSource(saved, "guests.xlsx", FileFormat.of({}))
    [row] = [row for chunk in source.chunks(COLUMNS) for row in chunk.rows]
    return row


@pytest.mark.parametrize(
    ("value", "number_format", "seen"),
    [
        (42, '"CLUB-"0000', "CLUB-0042"),
        (42, "\\C\\L\\U\\B\\-0000", "CLUB-0042"),
        (123, "000000", "000123"),
        (123456, "000", "123456"),
        (12345678, "0000\\-0000", "1234-5678"),
        (12345678, '0000" "0000', "1234 5678"),
        (4276, "[Red]0000", "4276"),
        (4276, "0;[Red]-0", "4276"),
        (4276, "@", "4276"),
        (4276, '"К-"@', "К-4276"),
        (4276, 'General" шт"', "4276 шт"),
        (4276, "0_)", "4276"),
        (7, "Карта 00", "Карта 07"),
        ("0042", '"CLUB-"@', "CLUB-0042"),
        ("0042", '0;-0;0;"К"@', "К0042"),
        (0, "000", "000"),
        (12, '[<10]"A"0;"B"0', "B12"),
    ],
)
def test_card_is_read_as_it_is_seen(value: Any, number_format: str, seen: str) -> None:
    assert cell("card_track", value, number_format).code("card_track") == seen


@pytest.mark.parametrize(
    ("value", "number_format"),
    [
        (4276, "0.00"),
        (4276, "#,##0"),
        (4276, "0%"),
        (4276, "0,"),
        (4276, "0.00E+00"),
        (4276, "# ?/?"),
        (4276, ";;;"),
        (4276, "[DBNum1]0"),
        (4276, "*x0"),
        (4276, "0/0"),
        (4276.5, "0"),
        (0, "#"),
        (0, "0;-0;"),
        ("4276", ";;;"),
        ("4276", "0;-0;0;"),
    ],
)
def test_card_that_is_seen_otherwise_is_refused(value: Any, number_format: str) -> None:
    with pytest.raises(BadRow, match=r"^card_track is .*format of (its|the) cell.*; store the column as text"):
        cell("card_track", value, number_format).code("card_track")


@pytest.mark.parametrize(
    ("value", "number_format", "amount"),
    [
        (5, "0.00", "5"),
        (5.5, "#,##0.00", "5.5"),
        (-5.5, "#,##0.00", "-5.5"),
        (1234.5, ACCOUNTING, "1234.5"),
        (-1234.5, ACCOUNTING, "-1234.5"),
        (0, ACCOUNTING, "0"),
        (7, '#,##0" ₽"', "7"),
        (7, "#,##0.00[$р.-419]", "7"),
        (-7, "#,##0_);(#,##0)", "-7"),
        (-7, "#,##0;[Red]-#,##0", "-7"),
        (12.5, "@", "12.5"),
        (5, "000", "5"),
    ],
)
def test_amount_is_the_number_that_is_seen(value: Any, number_format: str, amount: str) -> None:
    assert cell("amount", value, number_format).amount("amount") == Decimal(amount)


@pytest.mark.parametrize(
    ("value", "number_format"),
    [
        (0.5, "0%"),
        (5000, "0,"),
        (5000, '0,"K"'),
        (5, '0" тыс."'),
        (5, '"-"0'),
        (-5, "0.00;[Red]0.00"),
        (12.7, "0"),
        (12.345, "0.00"),
        (1234567, "0.0E+00"),
        (0.333, "# ?/?"),
        (5, '0"0"'),
        (5, ";;;"),
        (1, '"да"'),
    ],
)
def test_amount_that_is_seen_otherwise_is_refused(value: Any, number_format: str) -> None:
    with pytest.raises(BadRow, match=r"^amount is shown otherwise than it is stored"):
        cell("amount", value, number_format).amount("amount")


def test_phone_in_the_format_for_phones_is_read() -> None:
    assert cell("card_track", 9755550001, PHONES).code("card_track") == "(975) 555-0001"
    assert str(seen_number(9755550001, PHONES)) == "(975) 555-0001"
    assert str(seen_number(5550001, PHONES)) == "555-0001"


@pytest.mark.parametrize(("value", "seen"), [(1, True), (0, False)])
def test_yes_and_no_by_format_are_read(value: int, seen: bool) -> None:
    assert cell("receives_promo", value, '"да";;"нет"').flag("receives_promo") is seen


@pytest.mark.parametrize("number_format", ["d-mmm", "mmm-yy", "yyyy", "h:mm", "dddd, mmmm yyyy", '"г. "yyyy'])
def test_date_that_is_not_seen_whole_is_refused(number_format: str) -> None:
    """Excel makes `15 мая` a day of this year, and shows no year."""
    with pytest.raises(BadRow, match=r"^birthday is a date of which the format of the cell hides"):
        cell("birthday", date(2026, 5, 15), number_format).day("birthday")


@pytest.mark.parametrize(
    "number_format", ["dd.mm.yyyy", "mm-dd-yy", "d-mmm-yy", "m/d/yy h:mm", "[$-F800]dddd\\,\\ mmmm\\ dd\\,\\ yyyy"]
)
def test_date_that_is_seen_whole_is_read(number_format: str) -> None:
    assert cell("birthday", date(1990, 5, 15), number_format).day("birthday") == date(1990, 5, 15)


def test_date_by_the_format_of_a_number_is_read() -> None:
    assert cell("birthday", 15051990, "00\\.00\\.0000").day("birthday") == date(1990, 5, 15)


LITERALS = st.text("ABКЛ -.", min_size=1, max_size=3).map(lambda text: f'"{text}"')


@given(st.integers(0, 10**14), st.lists(st.one_of(st.sampled_from("0#"), LITERALS), min_size=1, max_size=12))
def test_every_digit_is_seen_between_the_texts(number: int, parts: list[str]) -> None:
    places = [each for each in parts if each in "0#"]
    assume(places)

    seen = seen_number(number, "".join(parts))

    text = (seen.text or "") if isinstance(seen, FormattedNumber) else str(seen)
    digits = "".join(each for each in text if each.isdigit())
    assert digits.lstrip("0") == str(number).lstrip("0")
    assert len(digits) >= places.count("0")
    assert [each for each in text if not each.isdigit()] == [each for each in "".join(parts) if each not in '0#"']


@given(st.integers(-(10**14), 10**14), st.text(st.sampled_from('0#?.,%@;_*\\"[]<>=EG Red$-+/()КA₽'), max_size=12))
def test_no_format_breaks_the_reading(number: int, number_format: str) -> None:
    seen = seen_number(number, number_format)

    assert isinstance(seen, FormattedNumber) or seen == number
    seen_text("Анна", number_format)
    shows_whole_date(number_format)
