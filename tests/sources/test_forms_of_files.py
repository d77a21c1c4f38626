"""Each form of a file through all imports: read as a person would, or refused with the line and the reason."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from sources.forms_of_files import FORMS, ORGANIZATION
from sources.written_files import Table
from syrve.crm.imports import CrmImport
from syrve.customers.phones import to_e164
from syrve.customers.roster import RosterImport
from syrve.sources.bad_rows import BadRows
from syrve.sources.errors import UnreadableSource, UnusableSource
from syrve.sources.file_format import FileFormat
from syrve.sources.files import FileSource
from syrve.wallet.importing import WalletImport
from syrve.wallet.topup import TopupList
from syrve.warehouse.database import Warehouse
from syrve.warehouse.runs import TaskKey

WALLET = "5f4e000a-0000-4000-8000-000000000002"
CUSTOMERS = [f"5f4e000a-0000-4000-8000-00000000001{n}" for n in range(3)]
PHONES = [f"+7975555000{n}" for n in range(3)]
NAMES = ["Анна", "Борис Ёлкин", "Юлия-Зоя"]
AMOUNTS = ["5.50", "7", "100,25"]
KEY = TaskKey("run-1", "import")

MEANINGS = {"columns", "null_words", "decimal_mark"}
"""What a form may not state of facts: it would say what they mean."""

Take = Callable[[Warehouse, FileSource, BadRows], Any]


@dataclass(frozen=True)
class Import:
    """One import: the table that it is given, how it is run, and a query of what landed, in the order of the table."""

    table: Table
    take: Take
    landed: str
    expected: list[tuple[Any, ...]]


def _roster(warehouse: Warehouse, source: FileSource, bad: BadRows) -> Any:
    return RosterImport(warehouse, key=KEY, source="file", region="RU", organization_id=ORGANIZATION, bad_rows=bad).run(
        source
    )


def _crm(warehouse: Warehouse, source: FileSource, bad: BadRows) -> Any:
    return CrmImport(warehouse, key=KEY, region="RU", organization_id=ORGANIZATION, bad_rows=bad).run(source)


def _wallet(warehouse: Warehouse, source: FileSource, bad: BadRows) -> Any:
    return WalletImport(warehouse, key=KEY, source="till", organization_id=ORGANIZATION, bad_rows=bad).run(source)


def _topup(warehouse: Warehouse, source: FileSource, bad: BadRows) -> Any:
    job = TopupList(
        warehouse,
        key=KEY,
        campaign="spring",
        to_e164=lambda phone: to_e164(phone, "RU"),
        organization_id=ORGANIZATION,
        bad_rows=bad,
    )
    return job.plan(source, dry_run=False)


RECORDS = [["topup", f"000{n}", CUSTOMERS[n], WALLET, "5.50", "01.05.2026 10:00"] for n in range(3)]
for _row, _phone, _name in zip(RECORDS, PHONES, NAMES, strict=True):
    _row += [_phone, _name]
IMPORTS = {
    "roster": Import(
        [["phone", "name"], *([phone, name] for phone, name in zip(PHONES, NAMES, strict=True))],
        _roster,
        "select identity_value from sync.roster order by 1",
        [(phone,) for phone in PHONES],
    ),
    "crm": Import(
        [["phone", "name"], *([phone, name] for phone, name in zip(PHONES, NAMES, strict=True))],
        _crm,
        "select phone, name from crm.customer order by 1",
        list(zip(PHONES, NAMES, strict=True)),
    ),
    "wallet": Import(
        [["record", "key", "customer_id", "wallet_id", "amount", "occurred_at", "phone", "name"], *RECORDS],
        _wallet,
        "select idempotency_key, customer_id::text, amount::text from wallet.operation order by 1",
        [(f"000{n}", CUSTOMERS[n], "5.50") for n in range(3)],
    ),
    "topup": Import(
        [["phone", "amount", "name"], *([PHONES[n], AMOUNTS[n], NAMES[n]] for n in range(3))],
        _topup,
        "select customer_id::text, amount::text from wallet.campaign_row order by 1",
        [(CUSTOMERS[n], AMOUNTS[n].replace(",", ".")) for n in range(3)],
    ),
}


@pytest.fixture
def known(warehouse: Warehouse) -> Warehouse:
    """A warehouse that knows the three customers, each with one wallet."""
    with warehouse.transaction("test") as cursor:
        for customer, phone in zip(CUSTOMERS, PHONES, strict=True):
            cursor.execute(
                "insert into syrve.customer (organization_id, customer_id, phone, is_deleted, extra, digest, "
                "first_seen_at, changed_at, fetched_at, profile_changed_at)"
                " values (%s, %s, %s, false, '{}', '\\x00', now(), now(), now(), now())",
                (ORGANIZATION, customer, phone),
            )
            cursor.execute(
                "insert into syrve.wallet_balance (organization_id, customer_id, wallet_id, balance, changed_at, fetched_at)"
                " values (%s, %s, %s, 0, now(), now())",
                (ORGANIZATION, customer, WALLET),
            )
    return warehouse


def rows_of(warehouse: Warehouse, query: str) -> list[tuple[Any, ...]]:
    with warehouse.transaction("test") as cursor:
        cursor.execute(query)
        return cursor.fetchall()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", IMPORTS)
def test_file_is_read_as_a_person_would_or_refused(known: Warehouse, kind: str, form: str) -> None:
    how, what = FORMS[form], IMPORTS[kind]
    refused = "taken for facts" if kind == "wallet" and MEANINGS & how.stated.keys() else how.refused

    def take(bad: BadRows) -> None:
        what.take(known, FileSource(io.BytesIO(how.write(what.table)), how.name, FileFormat.of(how.stated)), bad)

    with BadRows() as bad:
        if refused:
            with pytest.raises(UnusableSource, match=refused) as caught:
                take(bad)
            assert not isinstance(caught.value, UnreadableSource)
            assert rows_of(known, what.landed) == [], "a file that is refused writes nothing"
            return
        take(bad)
        notes = {note.line: note.reason for note in bad.first}

    places = range(3) if how.rows is None else how.rows
    assert rows_of(known, what.landed) == [what.expected[place] for place in places]
    assert notes.keys() == how.bad.keys()
    for number, reason in how.bad.items():
        assert reason in notes[number]
    for value in (*PHONES, *NAMES, *CUSTOMERS):
        assert all(value not in reason for reason in notes.values())
