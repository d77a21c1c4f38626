"""The ledger: append-only, idempotent by key, legal, and followed by what is open."""

from collections.abc import Callable
from decimal import Decimal
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from fixtures.operations import CUSTOMER, ORGANIZATION, WALLET, intended
from syrve.wallet.errors import LedgerConflict, UnusableOperation, WalletError
from syrve.wallet.ledger import Ledger
from syrve.wallet.operations import comment_problem, comment_with_marker, marked_operations
from syrve.warehouse.database import Warehouse
from syrve.warehouse.errors import WarehouseConfigError


@pytest.fixture
def ledger(warehouse: Warehouse) -> Ledger:
    return Ledger(warehouse)


def rows(ledger: Ledger, query: str, *values: object) -> list[tuple[Any, ...]]:
    with ledger.warehouse.transaction("test") as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchall() if cursor.description else []


def test_same_key_and_same_content_is_the_same_operation(ledger: Ledger) -> None:
    first = ledger.plan(intended(key="k", amount=Decimal("10.0")))

    assert ledger.plan(intended(key="k", amount=Decimal("10.00"))) == first
    assert ledger.plan(intended(key="k", source="other")).operation_id != first.operation_id


CONTENT: dict[str, Any] = {
    "kind": "chargeoff",
    "organization_id": str(uuid4()),
    "customer_id": str(uuid4()),
    "wallet_id": str(uuid4()),
    "amount": Decimal("10.01"),
    "order_id": "7",
    "hold_id": str(uuid4()),
    "comment": "other",
}


@pytest.mark.parametrize("field", CONTENT)
def test_same_key_with_other_content_is_refused(ledger: Ledger, field: str) -> None:
    base = {"kind": "topup"} | {"key": "k"}
    ledger.plan(intended(**base))

    with pytest.raises(LedgerConflict, match="other content"):
        ledger.plan(intended(**(base | {field: CONTENT[field]})))

    assert rows(ledger, "select count(*) from wallet.operation") == [(1,)]


REFUSED: dict[str, dict[str, Any]] = {
    "nothing": {"amount": Decimal(0)},
    "less than nothing": {"amount": Decimal("-1")},
    "no number": {"amount": Decimal("NaN")},
    "endless": {"amount": Decimal("Infinity")},
    "a float": {"amount": 1.5},
    "more decimals than the currency has": {"amount": Decimal("0.001")},
    "too many digits": {"amount": Decimal("1E+30")},
    "no wallet": {"wallet_id": None},
    "no uuid": {"customer_id": "Ivan"},
    "uuid in another writing": {"customer_id": CUSTOMER.replace("-", "")},
    "cancellation of nothing": {"kind": "cancel_hold"},
    "consumption of nothing": {"kind": "chargeoff", "consumes_hold": True},
    "e-mail in the comment": {"comment": "for a@example.com"},
    "phone in the comment": {"comment": "call +7 (975) 000-00-01"},
    "long comment": {"comment": "x" * 201},
    "no key": {"key": ""},
    "NUL": {"order_id": "a\x00b"},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_taken_in_is_refused_without_quoting_it(ledger: Ledger, case: str) -> None:
    with pytest.raises(UnusableOperation) as caught:
        ledger.plan(intended(**REFUSED[case]))

    assert "example.com" not in str(caught.value)
    assert "975" not in str(caught.value)
    assert rows(ledger, "select count(*) from wallet.operation") == [(0,)]


def test_zeros_at_the_end_are_no_decimals(ledger: Ledger) -> None:
    assert ledger.plan(intended(amount=Decimal("10.5000"))).amount == Decimal("10.5")


def test_marker_survives_in_a_comment_and_is_no_personal_data(ledger: Ledger) -> None:
    planned = ledger.plan(intended(comment="Order 12"))

    sent = comment_with_marker(planned)

    assert marked_operations(sent.upper()) == [planned.operation_id]
    assert comment_problem(sent) is None


def test_unknown_operation_is_said_to_be_unknown(ledger: Ledger) -> None:
    with pytest.raises(WalletError, match="no operation"):
        ledger.state(str(uuid4()))


@pytest.mark.parametrize("table", ["operation", "operation_event"])
@pytest.mark.parametrize(
    "statement",
    ["update wallet.{} set operation_id = operation_id", "delete from wallet.{}", "truncate wallet.{} cascade"],
)
def test_loader_adds_to_the_ledger_and_changes_nothing(
    warehouse: Warehouse, make_login: Callable[[str], str], table: str, statement: str
) -> None:
    loader = Warehouse(warehouse.url.set(username=make_login("syrve_loader")))
    planned = Ledger(loader).plan(intended("hold"))
    Ledger(loader).record(planned, "sent", {})

    with pytest.raises(WarehouseConfigError, match="42501"), loader.transaction("change") as cursor:
        cursor.execute(statement.format(table))


@pytest.mark.parametrize("table", ["hold", "unsettled_operation", "payment_order_version"])
def test_loader_does_not_write_what_triggers_make(
    warehouse: Warehouse, make_login: Callable[[str], str], table: str
) -> None:
    loader = Warehouse(warehouse.url.set(username=make_login("syrve_loader")))

    with pytest.raises(WarehouseConfigError, match="42501"), loader.transaction("change") as cursor:
        cursor.execute(f"delete from wallet.{table}")


def test_ops_reads_the_ledger_and_closes_findings(warehouse: Warehouse, make_login: Callable[[str], str]) -> None:
    ops = Warehouse(warehouse.url.set(username=make_login("syrve_ops")))
    with ops.transaction("read") as cursor:
        for name in (
            "operation",
            "operation_event",
            "operation_state",
            "open_hold",
            "payment_order",
            "finding",
            "transaction",
        ):
            cursor.execute(f"select count(*) from wallet.{name}")
        cursor.execute("update wallet.finding set status = 'acknowledged'")
    with pytest.raises(WarehouseConfigError, match="42501"), ops.transaction("change") as cursor:
        cursor.execute("update wallet.finding set amount_at_risk = 0")


def test_event_that_somebody_else_added_meanwhile_wins(ledger: Ledger) -> None:
    planned = ledger.plan(intended())
    ledger.record(planned, "sent", {})

    assert ledger.record(planned, "rejected", {"reason": "dropped"}).state == "sent"


def test_hold_that_was_cancelled_before_the_ledger_heard_of_it_is_closed(ledger: Ledger) -> None:
    hold_id = str(uuid4())
    ledger.observe(
        intended("cancel_hold", hold_id=hold_id, customer_id=None, wallet_id=None, amount=None), "confirmed", {}
    )

    ledger.observe(intended("hold", operation_id=hold_id), "confirmed", {})

    assert rows(ledger, "select closed_by from wallet.hold") == [("cancelled",)]
    assert rows(ledger, "select count(*) from wallet.open_hold") == [(0,)]


def test_cancellation_by_syrves_id_closes_the_hold_that_gets_this_id_later(ledger: Ledger) -> None:
    transaction_id = str(uuid4())
    hold = ledger.record(ledger.plan(intended("hold")), "sent", {})
    ledger.observe(intended("cancel_hold", hold_id=transaction_id), "confirmed", {})
    assert rows(ledger, "select count(*) from wallet.open_hold") == [(1,)]

    ledger.record(hold, "confirmed", {"transaction_id": transaction_id})

    assert rows(ledger, "select closed_by from wallet.hold") == [("cancelled",)]


def test_cancellation_by_syrves_id_closes_a_hold_of_ours(ledger: Ledger) -> None:
    transaction_id = str(uuid4())
    hold = ledger.record(ledger.plan(intended("hold")), "sent", {})
    ledger.record(hold, "confirmed", {"transaction_id": transaction_id})

    ledger.observe(intended("cancel_hold", hold_id=transaction_id), "confirmed", {})

    assert rows(ledger, "select hold_id::text, closed_by from wallet.hold") == [(hold.operation_id, "cancelled")]


def test_charge_through_the_api_does_not_close_its_hold_and_one_at_the_till_does(ledger: Ledger) -> None:
    hold_id = str(uuid4())
    ledger.observe(intended("hold", operation_id=hold_id), "confirmed", {})

    ledger.observe(intended("chargeoff", hold_id=hold_id), "confirmed", {})
    assert rows(ledger, "select count(*) from wallet.open_hold") == [(1,)]

    ledger.observe(intended("chargeoff", hold_id=hold_id, consumes_hold=True), "confirmed", {})
    assert rows(ledger, "select closed_by from wallet.hold") == [("consumed",)]


def test_order_keeps_every_state_and_shows_the_latest(ledger: Ledger) -> None:
    upsert = """
        insert into wallet.payment_order (organization_id, order_id, state, amount, state_at) values (%s, '7', %s, 5, %s)
        on conflict (organization_id, order_id) do update
        set state = excluded.state, amount = excluded.amount, state_at = excluded.state_at
    """
    for state, at in (
        ("open", "2026-01-01"),
        ("failed", "2026-01-03"),
        ("completed", "2026-01-02"),
        ("failed", "2026-01-03"),
    ):
        rows(ledger, upsert, ORGANIZATION, state, at)

    assert rows(ledger, "select state from wallet.payment_order") == [("failed",)]
    versions = rows(ledger, "select state from wallet.payment_order_version order by state_at")
    assert versions == [("open",), ("completed",), ("failed",)]


def test_hold_and_its_end_written_at_the_same_time_by_two_see_each_other(ledger: Ledger) -> None:
    hold_id = str(uuid4())
    insert = (
        "insert into wallet.operation (operation_id, kind, organization_id, customer_id, wallet_id, amount, hold_id, source, requested_at) "
        "values (%s, %s, %s, %s, %s, 1, %s, 'test', now())"
    )
    event = "insert into wallet.operation_event (operation_id, sequence, state, basis) values (%s, 1, 'confirmed', 'report')"
    whose = (ORGANIZATION, CUSTOMER, WALLET)
    end_id = str(uuid4())

    def end() -> None:
        with ledger.warehouse.transaction("end") as cursor:
            cursor.execute(insert, (end_id, "cancel_hold", *whose, hold_id))
            cursor.execute(event, (end_id,))

    other = Thread(target=end)
    with ledger.warehouse.transaction("hold") as cursor:
        cursor.execute(insert, (hold_id, "hold", *whose, None))
        cursor.execute(event, (hold_id,))
        other.start()
        waits = "select count(*) from pg_locks where not granted"
        while not rows(ledger, waits)[0][0]:
            pass
    other.join()

    assert rows(ledger, "select closed_by from wallet.hold") == [("cancelled",)]
