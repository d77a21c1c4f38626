"""Decides whether Syrve's transactions report agrees with what was answered: an answer is a claim, too, a yes and a no alike.

That no row names an operation proves nothing by itself: rows may be late, may lack our comment, and are asked for by a clock that may have
been wrong. So an operation is missing only if no row can be it, and the rows lead without a gap from the balance before it to
the balance that the wallet has now. If they do not, or if the report can't be read, nothing is decided, and it is looked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from syrve.api.models import Transaction
from syrve.values import without_float_noise
from syrve.wallet.operations import Kind, marked_operations
from syrve.wallet.report_rows import Markers
from syrve.wallet.reported import change_of
from syrve.warehouse.database import Cursor
from syrve.warehouse.sql_files import sql

Seen = Literal["shown", "missing", "undecided"]
_IS_SHOWN: dict[Seen, bool | None] = {"shown": True, "missing": False, "undecided": None}


@dataclass(frozen=True, slots=True)
class Answered:
    """An operation that an answer, or a record of others, says was carried out (`is_done`) or not.

    A cancellation and a consumption have the ids of their hold, the former its amount too. `since` is from when on the report has to be
    read, `seen` the result of the look before (None if there was none).
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
    is_done: bool
    consumes_hold: bool
    seen: Seen | None

    @property
    def expected(self) -> Seen:
        """What a look sees if the answer was true."""
        return "shown" if self.is_done else "missing"


def answered(cursor: Cursor, operation_ids: Sequence[str]) -> list[Answered]:
    """Read which of some operations were answered, and are believed for no other reason."""
    cursor.execute(sql("wallet/answered.sql"), {"operation_ids": list(operation_ids)})
    return [Answered(*row) for row in cursor.fetchall()]


def look_for(
    operation: Answered,
    report: Sequence[Transaction] | None,
    markers: Markers,
    read_balance: Callable[[], Decimal | None],
    *,
    skew_seconds: float = 0.0,
) -> tuple[Seen, Decimal | None]:
    """Return what the report (None if it can't be read) shows of an operation, and the balance by which that was decided.

    The balance is read only if no row can be the operation. What was missing stays so until a row shows it.
    """
    if report is None:
        return operation.seen or "undecided", None
    if not is_absent(operation, report, markers, skew_seconds=skew_seconds):
        return "shown", None
    if operation.seen == "missing":
        return "missing", None
    balance = read_balance()
    return ("missing" if _leads_to(operation, report, balance) else "undecided"), balance


def is_absent(operation: Answered, report: Sequence[Transaction], markers: Markers, *, skew_seconds: float) -> bool:
    """Whether no row can be the operation; for a cancellation, though a row shows that its hold lowered the balance."""
    rows = _of_wallet(operation, report)
    if operation.consumes_hold:
        return not any(_may_consume(operation, each, markers) for each in _after_begin(operation, rows))
    if operation.kind != "cancel_hold":
        since = operation.sent_at - timedelta(seconds=skew_seconds)
        rows = [
            each for each in rows if _is_since(each, since) or operation.operation_id in marked_operations(each.comment)
        ]
        return not any(_can_be(operation, each, markers) for each in rows)
    begun = [each for each in rows if _begins(operation, each)]
    if not begun:
        return False
    first = min(begun, key=lambda each: each.revision)
    ended = [each for each in rows if each.revision > first.revision and _can_be(operation, each, markers)]
    # A hold that was carried out twice under one id needs two ends.
    return len([each for each in begun if each.transaction_id == first.transaction_id]) > len(ended)


def note(cursor: Cursor, operation: Answered, seen: Seen, *, balance: Decimal | None = None) -> None:
    """Record the result of a look."""
    cursor.execute(
        "insert into wallet.operation_look (organization_id, operation_id, is_shown, balance) values (%s, %s, %s, %s)",
        (operation.organization_id, operation.operation_id, _IS_SHOWN[seen], balance),
    )


def _leads_to(operation: Answered, report: Sequence[Transaction], balance: Decimal | None) -> bool:
    """Whether the rows lead to a balance without a gap, from the one before the operation as far as that is known."""
    balances: list[Decimal | None] = []
    for each in sorted(_of_wallet(operation, report), key=lambda row: row.revision):
        if each.balance_before is None or each.balance_after is None:
            return False
        before, after = without_float_noise(each.balance_before), without_float_noise(each.balance_after)
        if balances and balances[-1] != before:
            return False
        balances += [before, after]
    balances = balances or [operation.balance_before]
    begins = operation.balance_before is None or operation.balance_before in balances
    return begins and balance is not None and balances[-1] == balance


def _of_wallet(operation: Answered, report: Sequence[Transaction]) -> list[Transaction]:
    return [each for each in report if each.wallet_id in (None, operation.wallet_id)]


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
    return change == (-operation.amount if operation.kind in ("hold", "chargeoff") else operation.amount)


def _after_begin(operation: Answered, rows: Sequence[Transaction]) -> list[Transaction]:
    """Return the rows after the one by which the hold began, all if there is none: by their order, as clocks may differ."""
    ids = (operation.hold_id, operation.hold_transaction_id)
    named = [
        each for each in rows if each.transaction_id in ids or operation.hold_id in marked_operations(each.comment)
    ]
    first = min((each.revision for each in named), default=None)
    return [each for each in rows if first is None or each.revision > first]


def _may_consume(operation: Answered, reported: Transaction, markers: Markers) -> bool:
    """Whether a row may be a payment with the money of the hold: its balance need not change, for the money was set aside before."""
    others = [each for each in marked_operations(reported.comment) if each != operation.hold_id]
    if any(each in markers for each in others):
        return False
    is_its_sum = reported.amount is None or abs(without_float_noise(reported.amount)) == operation.amount
    return is_its_sum and change_of(reported) in (None, 0, -operation.amount)


def _is_since(reported: Transaction, since: datetime) -> bool:
    return reported.created_at is None or reported.created_at >= since
