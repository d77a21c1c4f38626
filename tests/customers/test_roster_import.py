"""Files and `crm.customer` become identities of the roster; what cannot be one is kept with its reason."""

import gc
import gzip
import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fixtures.pulls import Syncing
from fixtures.pushes import Pushing
from fixtures.rosters import CANARY, CUSTOMER, ORGANIZATION, TWO_PHONES, Roster
from syrve.customers.identities import COLUMNS
from syrve.customers.roster import crm_rows
from syrve.sources.columns import Columns
from syrve.sources.errors import UnreadableSource, UnusableSource
from syrve.sources.files import FileSource
from syrve.sources.source import CHUNK_ROWS, Chunk


def parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


def excel(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_excel(buffer, index=False)
    return buffer.getvalue()


PLAIN = "phone,note\n+79750000001,a\n8 (975) 000-00-02,b\n"
READABLE: dict[str, tuple[bytes | str, str]] = {
    "commas": (PLAIN, "guests.csv"),
    "semicolons": (PLAIN.replace(",", ";"), "guests.csv"),
    "tabs": (PLAIN.replace(",", "\t"), "guests.csv"),
    "byte order mark": ("\ufeff" + PLAIN, "guests.csv"),
    "quoted with the separator inside": (
        '"note","Phone"\n"x, ""y""","+7 975 000 00 01"\n"two\nlines","89750000002"\n',
        "guests.csv",
    ),
    "windows line ends": (PLAIN.replace("\n", "\r\n"), "guests.csv"),
    "name in capitals": (PLAIN, "GUESTS.CSV"),
    "gzip": (gzip.compress(PLAIN.encode()), "guests.csv.gz"),
    "parquet with numbers": (parquet(pd.DataFrame({"phone": [79750000001, 79750000002]})), "guests.parquet"),
    "parquet with decimals and gaps": (
        parquet(pd.DataFrame({"phone": [79750000001.0, 89750000002.0, None], "card": [None, None, None]})[:2]),
        "guests.parquet",
    ),
    "excel with numbers": (excel(pd.DataFrame({"phone": [79750000001, 89750000002]})), "guests.xlsx"),
    "excel with text": (excel(pd.DataFrame({"phone": ["+7 975 000-00-01", "89750000002"]})), "guests.xlsx"),
}


@pytest.mark.parametrize("case", READABLE)
def test_file_gives_its_phones(roster: Roster, case: str) -> None:
    counts = roster.take_file(*READABLE[case])

    assert roster.identities == TWO_PHONES
    assert (counts.requested, counts.found, counts.changed, counts.rejected) == (2, 2, 2, 0)


@pytest.mark.filterwarnings("ignore::pandas.errors.ParserWarning")
def test_separator_at_the_end_of_each_line_shifts_no_column(roster: Roster) -> None:
    roster.take_file("card;phone\nA1;89750000001;\nA2;89750000002;\n", "guests.csv")

    assert roster.identities == TWO_PHONES


def test_identity_is_the_strongest_that_the_row_has(roster: Roster) -> None:
    roster.take_rows(
        {"id": CUSTOMER, "phone": "+79750000001", "card": "A1"},
        {"id": None, "phone": "+79750000002", "card": "A2"},
        {"id": float("nan"), "phone": "", "card": "A3"},
    )

    assert roster.identities == {("id", CUSTOMER), ("phone", "+79750000002"), ("card", "A3")}


def test_columns_are_known_under_other_usual_names(roster: Roster) -> None:
    rows = [
        {"Customer ID": CUSTOMER.upper(), "card_track": None, "Organization": ORGANIZATION},
        {"Customer ID": None, "card_track": "A1", "Organization": ORGANIZATION},
    ]

    roster.take_rows(*rows, organization_id=None)

    assert roster.identities == {("id", CUSTOMER), ("card", "A1")}


def test_national_number_is_read_by_the_region_and_what_was_received_is_kept(roster: Roster) -> None:
    roster.take_rows({"phone": "0151 23456789"}, {"phone": "+4915123456780"}, region="DE")

    assert sorted(roster.rows("select identity_value, received_value from sync.roster")) == [
        ("+4915123456780", None),
        ("+4915123456789", "0151 23456789"),
    ]


def test_organization_of_the_row_counts_before_that_of_the_form(roster: Roster) -> None:
    other = ORGANIZATION.replace("1", "2")

    roster.take_rows(
        {"organization_id": other, "phone": "+79750000001"}, {"organization_id": "", "phone": "+79750000002"}
    )

    found = roster.rows("select organization_id::text, identity_value from sync.roster order by 2")
    assert found == [(other, "+79750000001"), (ORGANIZATION, "+79750000002")]


REJECTED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no organization": (
        {"organization_id": "", "phone": "+79750000009"},
        "phone +79750000009",
        "organization_id is missing",
    ),
    "organization is no uuid": (
        {"organization_id": "Tverskaya", "phone": "+79750000009"},
        "phone +79750000009",
        "organization_id is not a uuid",
    ),
    "id is no uuid": ({"id": "42", "phone": "+79750000009"}, "id 42", "id is not a uuid"),
    "impossible phone": ({"phone": "call me"}, "phone call me", "phone is not a possible number in region RU"),
    "card is too long": ({"card": "7" * 201}, "card " + "7" * 195, "card is longer than 200 characters"),
    "nothing given": ({"phone": "  ", "card": None}, "empty row", "has no id, phone or card"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_row_that_gives_no_identity_is_kept_with_its_reason_and_stops_nothing(roster: Roster, case: str) -> None:
    row, shown, reason = REJECTED[case]
    good = {"organization_id": ORGANIZATION, "phone": "+79750000001"}

    counts = roster.take_rows(good, {"organization_id": ORGANIZATION} | row, organization_id=None)

    assert roster.rejects == [(shown, reason)]
    assert roster.identities == {("phone", "+79750000001")}
    assert (counts.requested, counts.found, counts.changed, counts.rejected) == (2, 1, 1, 1)
    stage, entity, payload = roster.rows("select stage, entity, payload -> 'received' from sync.reject")[0]
    assert (stage, entity) == ("import", "roster")
    given = {"organization_id": ORGANIZATION} | row
    assert payload | {name: value or "" for name, value in given.items()} == payload


def test_second_import_changes_nothing(roster: Roster) -> None:
    rows = [{"phone": "+79750000001"}, {"id": CUSTOMER}, {"card": "A1"}, {"phone": "nobody"}]
    roster.take_rows(*rows)
    before = roster.rows("select xmin::text, ctid::text from sync.roster order by 1, 2")

    counts = roster.take_rows(*rows)

    assert (counts.found, counts.changed, counts.unchanged, counts.rejected) == (3, 0, 3, 1)
    assert roster.rows("select xmin::text, ctid::text from sync.roster order by 1, 2") == before
    assert roster.rows("select occurrences from sync.reject") == [(2,)]


def test_known_identity_keeps_its_schedule_and_source(roster: Roster) -> None:
    roster.take_rows({"phone": "+79750000001"}, source="crm")
    roster.execute("update sync.roster set due_at = '2100-01-01', misses = 3, outcome = 'not_found'")

    roster.take_rows({"phone": "8 975 000 00 01"}, source="file", priority=5)

    columns = "source, due_at = '2100-01-01', misses, outcome, priority"
    assert roster.rows(f"select {columns} from sync.roster") == [("crm", True, 3, "not_found", 5)]


@pytest.mark.parametrize(
    ("first", "second", "kept"), [(0, 7, 7), (7, 0, 7), (-5, "3", 3), (1, "1000", 100), (0, "high", 0), (2, None, 2)]
)
def test_higher_priority_is_taken_and_a_lower_one_is_not(roster: Roster, first: int, second: Any, kept: int) -> None:
    roster.take_rows({"phone": "+79750000001", "priority": first})

    roster.take_rows({"phone": "+79750000001", "priority": second})

    assert roster.rows("select priority from sync.roster") == [(kept,)]


def test_identity_that_a_file_repeats_lands_once_with_its_highest_priority(roster: Roster) -> None:
    counts = roster.take_rows(
        {"phone": "+79750000001", "priority": 1}, {"phone": "89750000001", "priority": 9}, {"phone": "79750000001"}
    )

    assert roster.rows("select identity_value, priority from sync.roster") == [("+79750000001", 9)]
    assert (counts.found, counts.changed, counts.unchanged) == (3, 1, 2)


def test_invisible_characters_have_one_treatment_in_rows(roster: Roster) -> None:
    counts = roster.take_rows(
        {"phone": "+7975\x000000001"},
        {"card": "A\ud8001"},
        {"card": "\ufffd"},
        {"card": "tab\tline\nback\\N\u200b\u00a0"},
    )

    assert roster.identities == {("phone", "+79750000001"), ("card", "tab line back\\N")}
    lost = "card holds characters that were lost when the text was decoded; export it again as UTF-8"
    assert [reason for _, reason in roster.rejects] == [lost, lost]
    assert (counts.found, counts.rejected) == (2, 2)


def test_large_file_is_taken_in_by_chunks_and_counted_once(roster: Roster) -> None:
    rows = 3 * CHUNK_ROWS
    text = "phone;card\n" + "".join(f"8975{n:07d};\n" for n in range(rows))
    sizes: list[int] = []

    class Watched(FileSource):
        def chunks(self, columns: Columns) -> Iterator[Chunk]:
            for chunk in super().chunks(columns):
                sizes.append(len(chunk.rows))
                yield chunk

    counts = roster.take(Watched(io.BytesIO(text.encode()), "guests.csv"))

    assert sizes == [CHUNK_ROWS] * 3
    assert (counts.requested, counts.found, counts.changed) == (rows, rows, rows)
    assert roster.rows("select requested, changed from sync.run") == [(rows, rows)]
    assert roster.rows("select count(distinct identity_value) from sync.roster") == [(rows,)]


def test_broken_line_is_rejected_and_all_others_land(roster: Roster) -> None:
    lines = [f"+7975{n:07d},x\n" for n in range(CHUNK_ROWS + 5)]
    broken = "phone,note\n" + "".join([*lines[:-1], "+79759999999,x,too,many\n"])

    first = roster.take_file(broken, "guests.csv")
    counts = roster.take_file("phone,note\n" + "".join(lines), "guests.csv")

    assert (first.changed, first.rejected) == (CHUNK_ROWS + 4, 1)
    assert roster.rejects == [(f"line {CHUNK_ROWS + 6}", "has 4 fields, more than the 2 columns")]
    assert (counts.changed, counts.unchanged) == (1, CHUNK_ROWS + 4)


def test_file_with_a_header_and_no_rows_is_an_import_of_nothing(roster: Roster) -> None:
    for content, name in (("phone\n", "guests.csv"), (excel(pd.DataFrame({"phone": []})), "guests.xlsx")):
        assert roster.take_file(content, name).requested == 0
    assert roster.identities == set()


UNUSABLE: dict[str, tuple[bytes | str, str, str]] = {
    "empty": ("", "guests.csv", "must begin with a line of column names"),
    "no column of ours": (f"telefon\n{CANARY}\n", "guests.csv", "at least one of the columns id, phone, card"),
    "no header": (f"{CANARY}\n{CANARY}\n", "guests.csv", "at least one of the columns id, phone, card"),
    "header names a column twice": (f"phone,phone\n{CANARY},\n", "guests.csv", "columns 1 and 2 are both phone"),
    "neither UTF-8 nor beyond doubt": (
        f"phone,note\n{CANARY},Ян\n".encode("cp1251"),
        "guests.csv",
        "state the encoding",
    ),
    "another ending": (f"phone\n{CANARY}\n", "guests.txt", "must end in one of .csv, .csv.gz, .parquet, .xlsx"),
    "no gzip": (f"phone\n{CANARY}\n", "guests.csv.gz", "not readable as .gz"),
    "gzip cut short": (
        gzip.compress(f"phone\n{CANARY}\n".encode())[:-9],
        "guests.csv.gz",
        "not readable as .gz: it is cut short",
    ),
    "no parquet": (f"phone\n{CANARY}\n", "guests.parquet", "not readable as .parquet (ArrowInvalid)"),
    "no excel": (f"phone\n{CANARY}\n", "guests.xlsx", "not readable as .xlsx (BadZipFile)"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_file_is_refused_in_words_that_hold_no_row(roster: Roster, case: str) -> None:
    content, name, told = UNUSABLE[case]

    with pytest.raises(UnusableSource, match=re.escape(told)) as caught:
        roster.take_file(content, name)

    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert not isinstance(caught.value, UnreadableSource)
    assert roster.identities == set()


def test_organization_must_come_from_the_rows_or_the_form(roster: Roster) -> None:
    with pytest.raises(UnusableSource, match="no column organization_id; name the organization in the form"):
        roster.take_rows({"phone": "+79750000001"}, organization_id=None)


def test_storage_that_fails_while_reading_is_worth_another_try() -> None:
    class FailingStorage(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise ConnectionResetError(f"while sending {CANARY}")

        read1 = readinto = read  # type: ignore[assignment]

    with pytest.raises(UnreadableSource, match=re.escape("reading the file broke off (ConnectionResetError)")):
        list(FileSource(FailingStorage(b"PAR1" * 9), "guests.parquet").chunks(COLUMNS))


def test_customers_of_the_crm_become_identities(roster: Roster) -> None:
    roster.execute(
        "insert into crm.customer (organization_id, customer_id, phone) values"
        f" ('{ORGANIZATION}', '{CUSTOMER}', '+79750000009'), ('{ORGANIZATION}', null, '8 975 000-00-01'),"
        f" ('{ORGANIZATION}', null, '+79750000002'), ('{ORGANIZATION}', null, null)"
    )

    counts = roster.take(crm_rows(roster.warehouse), source="crm", organization_id=None)

    assert roster.identities == {("id", CUSTOMER), *TWO_PHONES}
    assert roster.rejects == [("empty row", "has no id, phone or card")]
    assert (counts.requested, counts.changed, counts.rejected) == (4, 3, 1)


def test_imported_identities_are_due_at_once(syncing: Syncing) -> None:
    syncing.add(phone=[each["phone"] for each in syncing.customers(3)])

    assert syncing.pull().found == 3


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["guests.csv", "guests.csv.gz"])
@pytest.mark.parametrize("rows_read", [0, 1, None], ids=["nothing", "a chunk", "everything"])
def test_file_is_left_to_whoever_opened_it(tmp_path: Path, name: str, rows_read: int | None) -> None:
    path = tmp_path / name
    content = b"phone\n+79750000001\n"
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with path.open("rb") as file:
        chunks = FileSource(file, name).chunks(COLUMNS)
        list(itertools.islice(chunks, rows_read))
        del chunks
        gc.collect()
        assert not file.closed


def test_card_number_is_no_track_and_is_looked_up_as_itself(cloud_pushing: Pushing) -> None:
    one, other = cloud_pushing.people(2)
    with cloud_pushing.client() as client:
        client.add_card(cloud_pushing.organization_id, one["customer_id"], "0000124", "7777-124")
        client.add_card(cloud_pushing.organization_id, other["customer_id"], "0000125", "7777-125")

    cloud_pushing.add(card_number=["7777-124", "7777-125"], card_track=[None, "0000125"])
    cloud_pushing.pull()

    found = "select identity_kind, identity_value, outcome from sync.roster order by 2"
    assert cloud_pushing.rows(found) == [("card", "0000125", "found"), ("card_number", "7777-124", "found")]
