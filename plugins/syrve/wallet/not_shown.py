"""Tells whether Syrve's transactions report shows what an answer said was done: an answer is a claim, too.

That no row names an operation proves nothing by itself: rows may be late, and may lack our comment. So nothing has moved only if no row
can be the operation, and the rows that there are account for the present balance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from syrve.api.models import Transaction
from syrve.values import without_float_noise
from syrve.wallet.operations import Kind, marked_operations
from syrve.wallet.report_rows import Markers
from syrve.wallet.reported import change_of
from syrve.warehouse.database import Cursor
from syrve.warehouse.sql_files import sql


@dataclass(frozen=True, slots=True)
class Answered:
    """An operation of ours that Syrve answered with yes; of a cancellation the hold, with its amount and Syrve's id of it.

    `since` is from when on the report has to be read.
    """

    operation_id: str
    kind: Kind
    organization_id: str
    wallet_id: str
    amount: Decimal
    hold_id: str | None
    hold_transaction_id: str | None
    sent_at: datetime
    since: datetime
    balance_before: Decimal | None
    was_missing: bool


def answered(cursor: Cursor, operation_ids: Sequence[str]) -> list[Answered]:
    """Read which of some operations were answered with yes, and are believed for no other reason."""
    cursor.execute(sql("wallet/answered.sql"), {"operation_ids": list(operation_ids)})
    return [Answered(*row) for row in cursor.fetchall()]


def is_missing(
    operation: Answered, report: Sequence[Transaction], markers: Markers, *, skew_seconds: float = 0.0
) -> bool:
    """Whether no row of the report can be the operation; for a cancellation, though a row shows that its hold lowered the balance."""
    rows = [each for each in report if each.wallet_id in (None, operation.wallet_id)]
    if operation.kind != "cancel_hold":
        since = operation.sent_at - timedelta(seconds=skew_seconds)
        return not any(_can_be(operation, each, markers) for each in rows if _is_since(each, since))
    begun = [each for each in rows if _begins(operation, each)]
    if not begun:
        return False
    first = min(begun, key=lambda each: each.revision)
    ended = [each for each in rows if each.revision > first.revision and _can_be(operation, each, markers)]
    # A hold that was carried out twice under one id needs two ends.
    return len([each for each in begun if each.transaction_id == first.transaction_id]) > len(ended)


def balance_of_report(operation: Answered, report: Sequence[Transaction]) -> Decimal | None:
    """Return the balance that a wallet has by its newest row, or had before the operation if there is none; None if it is not known."""
    rows = [each for each in report if each.wallet_id in (None, operation.wallet_id)]
    if not rows:
        return operation.balance_before
    after = max(rows, key=lambda each: each.revision).balance_after
    return None if after is None else without_float_noise(after)


def note(cursor: Cursor, operation: Answered, *, is_shown: bool, balance: Decimal | None) -> None:
    """Record what a look at the report has shown of an operation."""
    cursor.execute(
        "insert into wallet.operation_look (organization_id, operation_id, is_shown, balance) values (%s, %s, %s, %s)",
        (operation.organization_id, operation.operation_id, is_shown, balance),
    )


def _begins(operation: Answered, reported: Transaction) -> bool:
    """Whether a row is the beginning of the hold that a cancellation ends, and shows that held money is not in the balance."""
    is_named = operation.hold_id in marked_operations(reported.comment)
    is_its = is_named or reported.transaction_id == operation.hold_transaction_id
    return is_its and change_of(reported) == -operation.amount


def _can_be(operation: Answered, reported: Transaction, markers: Markers) -> bool:
    """Whether a row moved the operation's money in its direction, and is not by its marker another operation of ours."""
    own = {operation.operation_id, operation.hold_id}
    named = marked_operations(reported.comment)
    if any(each in markers for each in named) and not own.intersection(named):
        return False
    change = change_of(reported)
    if change is None:
        return reported.amount is None or abs(without_float_noise(reported.amount)) == operation.amount
    return change == (-operation.amount if operation.kind == "chargeoff" else operation.amount)


def _is_since(reported: Transaction, since: datetime) -> bool:
    return reported.created_at is None or reported.created_at >= since
