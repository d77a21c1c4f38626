"""What tills, sites and apps did becomes operations and orders of the ledger; repeating, lateness and bad rows harm nothing."""

import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest

from syrve.sources.errors import UnusableSource
from syrve.sources.file_format import FileFormat
from syrve.sources.files import FileSource
from syrve.sources.values import YES_NO
from syrve.wallet.importing import WalletImport
from syrve.warehouse.database import Warehouse
from syrve.warehouse.runs import Counts, TaskKey

ORGANIZATION, CUSTOMER, WALLET = (f"5f4e0007-0000-4000-8000-00000000000{number}" for number in range(3))
HOLD = "5f4e0007-0000-4000-8000-000000000010"


class Importing:
    """Imports rows and looks at the outcome."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse

    def take(self, *rows: dict[str, Any], source: str = "till") -> Counts:
        return self.take_chunks(rows, source=source)[0]

    def take_chunks(
        self, *chunks: Sequence[dict[str, Any]], source: str = "till", dry_run: bool = False
    ) -> tuple[Counts, int]:
        """Import a file of several chunks, or preview it; gives the counts and how many operations are new."""
        job = self.job(source=source, dry_run=dry_run)
        return job.run([pd.DataFrame(rows, dtype="object") for rows in chunks]), job.created

    def job(self, *, source: str = "till", dry_run: bool = False) -> WalletImport:
        key = TaskKey("run-1", "import")
        return WalletImport(self.warehouse, key=key, source=source, organization_id=ORGANIZATION, dry_run=dry_run)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.warehouse.transaction("test") as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    @property
    def rejects(self) -> list[str]:
        return [reason for (reason,) in self.rows("select reason from sync.reject order by reject_id")]

    @property
    def open_holds(self) -> list[str]:
        return [hold for (hold,) in self.rows("select hold_id::text from wallet.open_hold")]


@pytest.fixture
def importing(warehouse: Warehouse) -> Importing:
    return Importing(warehouse)


def record(kind: str, at: str = "2026-05-01T10:00:00+03:00", **fields: Any) -> dict[str, Any]:
    money = {"customer_id": CUSTOMER, "wallet_id": WALLET, "amount": "10.50", "hold_id": HOLD}
    return {"record": kind, "occurred_at": at} | (money if kind != "order" else {}) | fields


def test_hold_and_its_end_are_taken_in_at_the_times_they_happened(importing: Importing) -> None:
    hold, cancel = record("hold", order_id="7"), record("cancel_hold", "2026-05-01T07:30:00")

    counts = importing.take(hold, cancel)

    assert (counts.requested, counts.changed, counts.rejected) == (2, 2, 0)
    assert importing.rows(
        "select opened_at, closed_at, closed_by, amount, order_id, source, observed from wallet.hold"
    ) == [
        (
            datetime(2026, 5, 1, 7, 0, tzinfo=UTC),
            datetime(2026, 5, 1, 7, 30, tzinfo=UTC),
            "cancelled",
            Decimal("10.50"),
            "7",
            "import:till",
            True,
        )
    ]


@pytest.mark.parametrize("together", [True, False])
def test_order_of_arrival_does_not_matter(importing: Importing, together: bool) -> None:
    rows = [record("cancel_hold", "2026-05-01T12:00:00"), record("hold")]
    for batch in [rows] if together else [[row] for row in rows]:
        importing.take(*batch)

    assert importing.open_holds == []
    assert importing.rows("select closed_by from wallet.hold") == [("cancelled",)]


def test_hold_counts_from_the_earliest_that_a_batch_tells_of_it(importing: Importing) -> None:
    known, asked = record("hold", "2026-05-02T07:00:00"), record("hold", "2026-05-01T07:00:00", state="unknown")

    assert importing.take(known, asked).rejected == 0

    (times,) = importing.rows("select opened_at, confirmed_at from wallet.hold")
    assert times == (datetime(2026, 5, 1, 7, tzinfo=UTC), datetime(2026, 5, 2, 7, tzinfo=UTC))


def test_repeated_import_changes_nothing(importing: Importing) -> None:
    rows = [record("hold"), record("chargeoff", key="c1"), record("order", order_id="7", state="open", amount="10.50")]
    importing.take(*rows)
    before = (
        importing.rows("select * from wallet.operation_event"),
        importing.rows("select * from wallet.payment_order"),
    )

    counts = importing.take(*rows, *rows)

    assert (counts.changed, counts.unchanged, counts.rejected) == (0, 6, 0)
    assert importing.rows("select * from wallet.operation_event") == before[0]
    assert importing.rows("select * from wallet.payment_order") == before[1]


ANOTHER_HOLD = "5f4e0007-0000-4000-8000-000000000011"
FAR_APART: dict[str, list[dict[str, Any]]] = {
    "same lines": [record("hold"), record("hold"), record("chargeoff", key="c1"), record("chargeoff", key="c1")],
    "key of other content": [record("topup", key="t1"), record("topup", key="t1", amount="11.00")],
    "later news": [
        record("topup", key="t1", state="sent"),
        record("topup", key="t1", state="unknown"),
        record("topup", key="t1"),
        record("topup", key="t1", state="rejected"),
    ],
    "end of another amount": [record("hold"), record("cancel_hold", amount="9.00"), record("cancel_hold", key="2")],
    "end before its hold": [
        record("cancel_hold", "2026-05-01T12:00:00", amount="9.00"),
        record("hold"),
        record("cancel_hold", "2026-05-01T12:00:00", amount="9.00"),
        record("hold", key="again"),
    ],
    "hold by two names": [
        record("hold", key="one", state="unknown"),
        record("hold", key="two", state="rejected"),
        record("hold", key="two", amount="11.00"),
    ],
    "order": [
        record("order", order_id="7", state="open", amount="10.50"),
        record("order", "2026-05-01T11:00:00", order_id="7", state="completed"),
        record("order", order_id="7", state="open", amount="10.50"),
        record("order", "2026-05-01T10:30:00", order_id="7", state="cancelled"),
        record("order", "2026-05-01T11:00:00", order_id="7", state="completed", amount="10.50"),
    ],
    "key of another hold": [
        record("hold"),
        record("hold", hold_id=ANOTHER_HOLD, key="h2"),
        record("chargeoff", key="c1", consumes_hold="yes"),
        record("chargeoff", key="c1", consumes_hold="yes", hold_id=ANOTHER_HOLD),
    ],
}


@pytest.mark.parametrize("rows", FAR_APART.values(), ids=FAR_APART)
def test_preview_judges_records_far_apart_as_the_import_does(importing: Importing, rows: list[dict[str, Any]]) -> None:
    """Each record is a chunk, then they are all sent once more."""
    tables = ("operation", "operation_event", "hold", "payment_order", "payment_order_version", "contested_ending")

    def done(*, dry_run: bool) -> tuple[int, ...]:
        counts, created = importing.take_chunks(*([row] for row in rows), rows, dry_run=dry_run)
        return created, counts.requested, counts.found, counts.changed, counts.unchanged, counts.rejected

    preview = done(dry_run=True)
    assert [importing.rows(f"select count(*) from wallet.{table}") for table in tables] == [[(0,)]] * len(tables)
    assert importing.rejects == []

    assert preview == done(dry_run=False)
    assert preview[3] > 0
    assert done(dry_run=True) == done(dry_run=False), "and when all is known"


def test_import_of_the_same_records_amid_a_preview_stops_neither(importing: Importing) -> None:
    """The last chunk of the preview is judged by what the ledger has by then."""
    news = FAR_APART["later news"]

    def chunks() -> Iterator[pd.DataFrame]:
        yield pd.DataFrame(news[:1], dtype="object")
        yield pd.DataFrame(news[1:2], dtype="object")
        importing.take_chunks(news[3:])
        yield pd.DataFrame(news[2:3], dtype="object")

    counts = importing.job(dry_run=True).run(chunks())

    assert (counts.requested, counts.changed, counts.rejected) == (3, 2, 1)
    assert importing.rows("select state from wallet.operation_event order by sequence") == [("rejected",)]


def test_hold_told_by_two_sources_is_one_hold(importing: Importing) -> None:
    importing.take(record("hold"))
    counts = importing.take(record("hold", key="another name"), source="site")

    assert (counts.changed, counts.unchanged, counts.rejected) == (0, 1, 0)
    assert importing.open_holds == [HOLD]


def test_later_news_settles_what_was_unknown(importing: Importing) -> None:
    importing.take(record("hold", state="unknown"))
    importing.take(record("hold", "2026-05-01T11:00:00", state="rejected"))

    assert importing.open_holds == []
    assert importing.rows("select state from wallet.operation_event order by sequence") == [("unknown",), ("rejected",)]


@pytest.mark.parametrize("kind", ["topup", "chargeoff"])
def test_record_is_taken_in_under_one_name_only(importing: Importing, kind: str) -> None:
    importing.take(record(kind, key="r1", order_id="7"))

    again = importing.take(record(kind, key="r1", order_id="7"), record(kind, key="r2"), source="site")
    of_another = importing.take(record(kind, key="r1", organization_id=str(uuid4()), order_id="7"), source="third")

    assert (again.changed, again.rejected, of_another.changed, of_another.rejected) == (1, 1, 0, 1)
    told = "an import of another name has this record: money moves once, under any name"
    assert importing.rejects == [told]
    assert importing.rows("select source, idempotency_key from wallet.operation order by 2") == [
        ("import:till", "r1"),
        ("import:site", "r2"),
    ]


def test_keys_of_two_tills_may_be_the_same(importing: Importing) -> None:
    importing.take(record("chargeoff", key="17", order_id="a"))

    assert importing.take(record("chargeoff", key="17", order_id="b"), source="site").changed == 1
    assert (
        importing.take(record("chargeoff", key="17", customer_id=str(uuid4()), order_id="a"), source="site-2").changed
        == 1
    )


def test_later_state_of_a_record_is_not_taken_in_alone(importing: Importing) -> None:
    """Its time is another one; the record is the same."""
    sent, done = record("topup", key="r1", state="sent"), record("topup", "2026-05-01T11:00:00", key="r1")
    importing.take(sent, done)

    assert importing.take(done, source="site").rejected == 1


@pytest.mark.parametrize(
    "how",
    [{"columns": {"state": None}}, {"columns": {"note": "state"}}, {"null_words": ["rejected"]}, {"decimal_mark": ","}],
)
def test_form_turns_no_file_of_facts_round(importing: Importing, how: dict[str, Any]) -> None:
    names = "record,organization_id,key,customer_id,wallet_id,amount,state,occurred_at,note"
    line = f"topup,{ORGANIZATION},r1,{CUSTOMER},{WALLET},50,rejected,2026-05-01T10:00Z,confirmed"
    source = FileSource(io.BytesIO(f"{names}\n{line}\n".encode()), "till.csv", FileFormat.of(how))

    with pytest.raises(UnusableSource, match="taken for facts"):
        WalletImport(importing.warehouse, key=TaskKey("run-1", "import"), source="till").run(source)
    assert importing.rows("select 1 from wallet.operation") == []


def test_till_that_consumes_a_hold_closes_it(importing: Importing) -> None:
    importing.take(record("hold"), record("chargeoff", "2026-05-01T12:00:00", key="receipt 7", consumes_hold="true"))

    assert importing.rows("select closed_by from wallet.hold") == [("consumed",)]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no such record": (record("refund"), "record must be one of hold, cancel_hold, topup, chargeoff, order"),
    "no time": (record("hold", at=""), "occurred_at is missing"),
    "no such time": (
        record("hold", at="yesterday"),
        "occurred_at is not a date such as 1990-05-15 or 15.05.1990, nor a time such as 2026-05-15T10:00+03:00",
    ),
    "hold without its id": (record("hold", hold_id=""), "hold_id is missing"),
    "cancellation of nothing": (record("cancel_hold", hold_id="", key="x"), "cancel_hold: hold_id is missing"),
    "charge without a key": (record("chargeoff"), "key is missing"),
    "no number": (record("hold", amount="ten"), "amount is not a number"),
    "below zero": (record("hold", amount="-1"), "hold: the amount must be a Decimal greater than zero"),
    "no uuid": (record("hold", wallet_id="w"), "wallet_id is not a uuid"),
    "no customer": (record("hold", customer_id=None), "hold: customer_id, wallet_id and amount are needed"),
    "planned by others": (record("hold", state="planned"), "state must be one of sent, confirmed, rejected, unknown"),
    "order state of money": (
        record("order", order_id="7", state="sent"),
        "state must be one of open, completed, cancelled, failed",
    ),
    "order without an id": (record("order", state="open"), "order_id is missing"),
    "neither yes nor no": (
        record("chargeoff", key="x", consumes_hold="maybe"),
        f"consumes_hold must be one of {', '.join(YES_NO)}",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_row_is_kept_with_its_reason_and_the_others_go_on(importing: Importing, case: str) -> None:
    row, reason = BAD[case]

    counts = importing.take(row, record("topup", key="good"))

    assert (counts.changed, counts.rejected, importing.rejects) == (1, 1, [reason])


CONFLICTS: dict[str, tuple[dict[str, Any], str]] = {
    "key": (record("chargeoff", key="c1", amount="11"), "key is taken by an operation of other content"),
    "hold": (record("hold", amount="11", key="other"), "hold_id is taken by an operation of other content"),
    "outcome": (record("hold", state="rejected"), "state contradicts the outcome that the ledger has"),
}


@pytest.mark.parametrize("case", CONFLICTS)
def test_row_that_contradicts_the_ledger_is_kept_with_its_reason(importing: Importing, case: str) -> None:
    importing.take(record("hold"), record("chargeoff", key="c1"))
    events = importing.rows("select * from wallet.operation_event")
    row, reason = CONFLICTS[case]

    counts = importing.take(row)

    assert (counts.changed, counts.rejected, importing.rejects) == (0, 1, [reason])
    assert importing.rows("select * from wallet.operation_event") == events


def test_late_order_state_is_kept_and_does_not_undo_the_latest(importing: Importing) -> None:
    importing.take(
        record("order", "2026-05-01T10:00:00", order_id="7", state="open"),
        record("order", "2026-05-01T12:00:00", order_id="7", state="completed"),
    )
    counts = importing.take(record("order", "2026-05-01T11:00:00", order_id="7", state="failed"))

    assert counts.changed == 1
    assert importing.rows("select state from wallet.payment_order") == [("completed",)]
    assert importing.rows("select count(*) from wallet.payment_order_version") == [(3,)]


def test_source_without_the_needed_columns_is_refused(importing: Importing) -> None:
    with pytest.raises(UnusableSource, match="no column record"):
        importing.take({"phone": "+79750000001"})
