"""What a dry run counts, the file of bad rows, and rejects that close once the row comes right."""

import csv
import io
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.forms_of_files import ORGANIZATION
from syrve.crm.imports import CrmImport
from syrve.customers.roster import RosterImport
from syrve.sources.bad_rows import BadRows
from syrve.sources.files import FileSource
from syrve.sources.formulas import as_they_were
from syrve.sources.rejects import Place
from syrve.wallet.importing import WalletImport
from syrve.warehouse.database import Warehouse
from syrve.warehouse.runs import Counts, TaskKey

CUSTOMER = "5f4e000b-0000-4000-8000-000000000001"
WALLET = "5f4e000b-0000-4000-8000-000000000002"
TABLES = "sync.roster, sync.reject, sync.run, crm.customer, wallet.operation"
GUESTS = "phone;name;birthday\n+79755550001;Анна;15.05.1990\n+79755550002;Борис;вчера\n+79755550003;Вера;;;лишнее\n"


def source(text: str, name: str = "guests.csv") -> FileSource:
    return FileSource(io.BytesIO(text.encode()), name)


def rows_of(warehouse: Warehouse, query: str) -> list[tuple[Any, ...]]:
    with warehouse.transaction("test") as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def crm(warehouse: Warehouse, text: str, *, run: str = "r", **options: Any) -> tuple[Counts, int]:
    job = CrmImport(warehouse, key=TaskKey(run, "i"), region="RU", organization_id=ORGANIZATION, **options)
    return job.run(source(text)), job.created


def open_reasons(warehouse: Warehouse) -> list[tuple[str, str]]:
    return rows_of(warehouse, "select identity, reason from sync.reject where resolved_at is null order by reject_id")


@pytest.mark.parametrize("kind", ["roster", "crm", "wallet"])
def test_dry_run_counts_what_the_import_does_and_writes_nothing(warehouse: Warehouse, kind: str) -> None:
    key = TaskKey("r", "i")

    def run(dry_run: bool) -> tuple[int, int, int]:
        jobs: dict[str, Any] = {
            "roster": lambda: RosterImport(
                warehouse, key=key, source="file", region="RU", organization_id=ORGANIZATION, dry_run=dry_run
            ),
            "crm": lambda: CrmImport(warehouse, key=key, region="RU", organization_id=ORGANIZATION, dry_run=dry_run),
            "wallet": lambda: WalletImport(
                warehouse, key=key, source="till", organization_id=ORGANIZATION, dry_run=dry_run
            ),
        }
        text = GUESTS
        if kind == "wallet":
            row = f"topup;{{}};{CUSTOMER};{WALLET};{{}};2026-05-01\n"
            text = (
                "record;key;customer_id;wallet_id;amount;occurred_at\n"
                + row.format("1", "5")
                + row.format("2", "1,000")
            )
        counts = jobs[kind]().run(source(text))
        return counts.requested, counts.changed, counts.rejected

    dry = run(True)
    written = sum(rows_of(warehouse, f"select count(*) from {table}")[0][0] for table in TABLES.split(", "))

    assert written == 0
    assert run(False) == dry
    assert dry[1] > 0
    assert dry[2] > 0


def test_preview_counts_identities_of_a_file_once(warehouse: Warehouse) -> None:
    """Chunks far apart name the same person, in other forms too."""
    chunks = [["89755550002", "89755550001"], ["+79755550002", "none"], ["+79755550003", "+7 975 555-00-02"]]
    frames = [pd.DataFrame({"phone": phones}, dtype="object") for phones in chunks]

    def take(*, dry_run: bool) -> tuple[int, int, int, int]:
        key, organization = TaskKey("r", "i"), ORGANIZATION
        job = RosterImport(
            warehouse, key=key, source="file", region="RU", organization_id=organization, dry_run=dry_run
        )
        counts = job.run(frames)
        return counts.requested, counts.found, counts.changed, counts.rejected

    assert take(dry_run=True) == (6, 5, 3, 1)
    assert rows_of(warehouse, "select count(*) from sync.roster") == [(0,)]
    assert open_reasons(warehouse) == []
    assert take(dry_run=False) == (6, 5, 3, 1)
    assert rows_of(warehouse, "select count(*) from sync.roster") == [(3,)]


def test_dry_run_of_the_crm_tells_new_rows_from_changed_ones(warehouse: Warehouse) -> None:
    crm(warehouse, "phone;name\n+79755550001;Анна\n")

    counts, created = crm(warehouse, "phone;name\n+79755550001;Инна\n+79755550002;Борис\n", dry_run=True)

    assert (counts.changed, created) == (2, 1)


def test_bad_rows_are_a_file_that_can_be_mended_and_imported(warehouse: Warehouse) -> None:
    with BadRows() as bad:
        reading = source(GUESTS)
        CrmImport(warehouse, key=TaskKey("r", "i"), region="RU", organization_id=ORGANIZATION, bad_rows=bad).run(
            reading
        )
        content = b"".join(bad.pieces(reading.facts.headings)).decode("utf-8-sig")

    assert [(note.line, note.reason) for note in bad.first] == [
        (4, "has 5 fields, more than the 3 columns"),
        (3, "birthday is not a date such as 1990-05-15 or 15.05.1990"),
    ]
    table = list(csv.reader(io.StringIO(content)))
    assert table[0] == ["line", "reason", "phone", "name", "birthday"]
    assert table[2] == ["3", bad.first[1].reason, "'+79755550002", "Борис", "вчера"]
    mended = content.replace("вчера", "16.05.1990").splitlines(keepends=True)
    counts, created = crm(warehouse, mended[0] + mended[2])
    assert (counts.rejected, created) == (0, 1)
    assert [identity for identity, _ in open_reasons(warehouse)] == ["line 4"], (
        "the phone with an apostrophe is the same key"
    )


FORMULAS = ["=1+1", "+7", "-5", "@a", "\t=1", "\r=1", " =1", "=HYPERLINK(1)", "\N{FULLWIDTH EQUALS SIGN}1", '="000123"']


@given(st.lists(st.one_of(st.sampled_from(FORMULAS), st.text(max_size=8)), min_size=1, max_size=5))
def test_cells_of_bad_rows_are_no_formulas_and_read_back(cells: list[str]) -> None:
    with BadRows() as bad:
        bad.add(2, "why", cells)
        text = b"".join(bad.pieces(["=a", *["b"] * len(cells)])).decode("utf-8-sig")

    heading, row = csv.reader(io.StringIO(text, newline=""))
    written = [each.encode("utf-8", "replace").decode() for each in cells]
    assert heading[2] == "'=a"
    assert [
        each for each in row if each.lstrip().startswith(("=", "+", "-", "@")) or each.startswith(("\t", "\r"))
    ] == []
    assert as_they_were(row[2:]) == as_they_were(written)


def test_reject_closes_once_the_row_of_the_same_key_is_right(warehouse: Warehouse) -> None:
    crm(warehouse, "phone;birthday\n+79755550001;вчера\n+79755550002;завтра\n", place=Place("a.csv"))

    crm(warehouse, "phone;birthday\n+79755550001;15.05.1990\n", run="r2", place=Place("b.csv"))

    assert [identity for identity, _ in open_reasons(warehouse)] == ["phone +79755550002"]


def test_reject_of_a_wrong_key_closes_once_its_line_is_right(warehouse: Warehouse) -> None:
    crm(warehouse, "phone;name;surname\nпозвоните;Анна;Ли\n+79755550002;Борис;Ким;лишнее\n", place=Place("a.csv"))
    assert len(open_reasons(warehouse)) == 2

    crm(warehouse, "phone;name;surname\n+79755550001;Анна;Ли\n+79755550002;Борис;Ким\n", run="r2", place=Place("a.csv"))

    assert open_reasons(warehouse) == []


def test_reject_stays_open_if_its_file_has_other_rows_now(warehouse: Warehouse) -> None:
    crm(warehouse, "phone;name\nпозвоните;Анна\n", place=Place("today.csv"))

    crm(warehouse, "phone;name\n+79755550009;Вера\n", run="r2", place=Place("today.csv"))

    assert [identity for identity, _ in open_reasons(warehouse)] == ["phone позвоните"]


def test_reject_stays_open_if_the_row_is_wrong_in_another_way(warehouse: Warehouse) -> None:
    crm(warehouse, "phone;birthday\n+79755550001;вчера\n")

    crm(warehouse, "phone;birthday;sex\n+79755550001;15.05.1990;x\n", run="r2")

    assert len(open_reasons(warehouse)) == 2
