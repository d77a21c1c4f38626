"""Keeps rows of Syrve's transactions report in the warehouse, each with the operation of the ledger that its comment names.

An operation is sent once, so one row is it: the first that may be. A further row that may be it as well repeats it, and proves nothing:
the money moved again, or the same movement was reported twice. `wallet.repeated_transaction` decides which, and a rule finds both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from syrve.api.models import Transaction
from syrve.wallet.operations import Kind, OperationState, marked_operations
from syrve.wallet.reported import change_of, may_be
from syrve.warehouse.database import Cursor, fetch_one
from syrve.warehouse.sql_files import sql


@dataclass(frozen=True, slots=True)
class Marker:
    """What an operation of the ledger is, so far as a row that names it must agree."""

    kind: Kind
    amount: Decimal | None
    customer_id: str | None
    wallet_id: str | None


Markers = Mapping[str, Marker]
"""Operations of the ledger that comments name, by their ids."""
Part = Literal["movement", "beginning", "end"]

_KEPT = (
    "transaction_id",
    "wallet_id",
    "revision",
    "type",
    "type_name",
    "amount",
    "balance_before",
    "balance_after",
    "order_number",
    "pos_order_id",
    "created_at",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """Whether a row is new to the warehouse, and whether another row is the operation that it names."""

    is_new: bool
    is_repeated: bool


def by_clock(cursor: Cursor, found: Sequence[Transaction]) -> list[Transaction]:
    """Return rows with no time ahead of the database's clock: what is reported has happened, and nothing waits until its time comes."""
    cursor.execute("select clock_timestamp()")
    now: datetime = fetch_one(cursor)[0]
    return [
        each if each.created_at is None or each.created_at <= now else replace(each, created_at=now) for each in found
    ]


def markers_of(cursor: Cursor, found: Sequence[Transaction]) -> Markers:
    """Return the operations of the ledger that the comments name; other ids in them mean something to others."""
    named = {marked for each in found for marked in marked_operations(each.comment)}
    cursor.execute(
        "select operation_id::text, kind, amount, customer_id::text, wallet_id::text from wallet.operation "
        "where operation_id = any(%s::uuid[])",
        (sorted(named),),
    )
    return {operation_id: Marker(*rest) for operation_id, *rest in cursor.fetchall()}


def marked(customer_id: str, reported: Transaction, markers: Markers) -> list[str]:
    """Return the operations of the ledger that a row of a customer's report names and may be: of the same customer and wallet."""
    return [
        each
        for each in marked_operations(reported.comment)
        if each in markers and _agrees(markers[each], customer_id, reported)
    ]


def _agrees(marker: Marker, customer_id: str, reported: Transaction) -> bool:
    return (
        marker.customer_id in (None, customer_id)
        and (None in (marker.wallet_id, reported.wallet_id) or marker.wallet_id == reported.wallet_id)
        and may_be(marker.kind, marker.amount, reported)
    )


def keep(cursor: Cursor, organization_id: str, customer_id: str, reported: Transaction, markers: Markers) -> Kept:
    """Write a row of the report down, once."""
    named = marked(customer_id, reported, markers)
    values: dict[str, Any] = {"organization_id": organization_id, "customer_id": customer_id}
    values |= {name: getattr(reported, name) for name in _KEPT}
    values["marked_operation_id"] = named[-1] if named else None
    values["marked_part"] = _part(markers[named[-1]].kind, reported) if named else None
    cursor.execute(sql("wallet/transaction.sql"), values)
    row = cursor.fetchone()
    return Kept(row is not None, row is not None and row[0])


def keep_repeats(cursor: Cursor, operation: OperationState, shown: Sequence[Transaction]) -> bool:
    """Keep the rows that show one part of an operation if there are several, for `operation_moved_twice`; says whether there are.

    A hold has a row for its beginning and one for its end; a cancellation is that end.
    """
    if operation.kind == "cancel_hold" or operation.customer_id is None:
        return False
    parts = Counter(
        _part(operation.kind, each) for each in shown if operation.operation_id in marked_operations(each.comment)
    )
    if max((number for part, number in parts.items() if part is not None), default=0) < 2:
        return False
    markers = markers_of(cursor, shown)
    for each in sorted(by_clock(cursor, shown), key=lambda row: row.revision):
        keep(cursor, operation.organization_id, operation.customer_id, each, markers)
    return True


def _part(kind: Kind, reported: Transaction) -> Part | None:
    """Return what of an operation a row shows; the beginning and the end of a hold carry one comment."""
    if kind != "hold":
        return "movement"
    change = change_of(reported)
    if not change:
        return None
    return "end" if change > 0 else "beginning"
