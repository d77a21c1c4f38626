"""The demo's dangling holds: the site's records, and what makes the demo fail."""

import csv
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from devstack.errors import StackError
from devstack.site import (
    AMOUNT,
    FindingRow,
    Payment,
    check_findings,
    check_holds,
    write_records,
)

CHARGED = Payment("charged", "org", "guest", "wallet", "demo-1", "hold-1", is_charged=True, rule="charged_hold_open")
FAILED = replace(
    CHARGED, title="failed", order_id="demo-2", hold_id="hold-2", is_charged=False, rule="order_failed_hold_open"
)
PAYMENTS = [CHARGED, FAILED]
FLAGGED = [
    FindingRow("charged_hold_open", "critical", AMOUNT, "open"),
    FindingRow("order_failed_hold_open", "high", AMOUNT, "open"),
]


def test_records_tell_the_import_of_holds_orders_and_the_charge(tmp_path: Path) -> None:
    path = tmp_path / "site.csv"
    write_records(path, PAYMENTS)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))

    told = [(row["record"], row["order_id"], row["state"], row["hold_id"]) for row in rows]
    assert told == [
        ("hold", "demo-1", "", "hold-1"),
        ("order", "demo-1", "open", ""),
        ("order", "demo-1", "completed", ""),
        ("chargeoff", "demo-1", "", ""),
        ("hold", "demo-2", "", "hold-2"),
        ("order", "demo-2", "open", ""),
        ("order", "demo-2", "failed", ""),
    ]
    assert all(datetime.fromisoformat(row["occurred_at"]) < datetime.now(UTC) for row in rows)


def test_demo_fails_when_anything_else_is_flagged() -> None:
    check_findings(FLAGGED, PAYMENTS, "open")
    extra = FindingRow("stale_hold", "high", AMOUNT, "open")
    wrong: list[list[FindingRow]] = [
        [],
        FLAGGED[:1],
        [*FLAGGED, extra],
        [FLAGGED[0], replace(FLAGGED[1], amount_at_risk=Decimal(1))],
        [FLAGGED[0], replace(FLAGGED[1], status="released")],
    ]
    for found in wrong:
        with pytest.raises(StackError, match="Reconciliation said"):
            check_findings(found, PAYMENTS, "open")


def test_demo_fails_when_a_hold_is_not_cancelled_at_syrve() -> None:
    holds: list[Any] = [{"transaction_id": each.hold_id, "state": "cancelled"} for each in PAYMENTS]
    check_holds(holds, PAYMENTS)
    with pytest.raises(StackError, match="still holds the money of: failed"):
        check_holds([holds[0], holds[1] | {"state": "open"}], PAYMENTS)
    with pytest.raises(StackError, match="still holds the money of: failed"):
        check_holds(holds[:1], PAYMENTS)
