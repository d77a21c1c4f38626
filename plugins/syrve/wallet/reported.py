"""What one row of Syrve's transactions report can be: people quote our markers in their own comments, so a marker proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from syrve.api.models import Transaction
from syrve.values import without_float_noise
from syrve.wallet.operations import Kind, OperationState, marked_operations

_DIRECTIONS: dict[Kind, tuple[int, ...]] = {
    "topup": (1,),
    "chargeoff": (-1,),
    "hold": (-1, 0, 1),  # balances may have held money in them, and the end of a hold carries its comment too
    "cancel_hold": (1, 0),
}


def change_of(reported: Transaction) -> Decimal | None:
    """By how much a row changed the balance; None if it does not say."""
    if reported.balance_before is None or reported.balance_after is None:
        return None
    return without_float_noise(reported.balance_after) - without_float_noise(reported.balance_before)


def may_be(kind: Kind, amount: Decimal | None, reported: Transaction) -> bool:
    """Whether a row that names an operation may be that operation: of its amount and, where the row tells balances, in its direction."""
    if amount is None:
        return True
    if reported.amount is not None and abs(without_float_noise(reported.amount)) != amount:
        return False
    change = change_of(reported)
    if change is None:
        return reported.amount is not None
    return change in [direction * amount for direction in _DIRECTIONS[kind]]


def shows(operation: OperationState, reported: Transaction) -> bool:
    """Whether a row of the customer's report can only be this operation's."""
    if reported.wallet_id is not None and operation.wallet_id not in (None, reported.wallet_id):
        return False
    marked = marked_operations(reported.comment)
    if operation.kind != "cancel_hold":
        is_hold = operation.kind == "hold" and reported.transaction_id == operation.operation_id
        return is_hold or (operation.operation_id in marked and may_be(operation.kind, operation.amount, reported))
    # The end of a hold carries the hold's comment, as its beginning does; only the end gives money back.
    gave_back = change_of(reported) == operation.amount and operation.amount is not None
    return operation.hold_id in marked and gave_back and reported.transaction_id != operation.hold_id


def evidence_of(operation: OperationState, shown: Sequence[Transaction], hold_id: str | None) -> dict[str, Any]:
    """Return the evidence that rows of the report are for an operation; `hold_id` is the id that a hold was sent under, if any.

    A hold that was sent without an id, before the dialect was changed, has one of Syrve's own, which the report need not tell.
    """
    evidence: dict[str, Any] = {
        "reason": "transactions_report",
        "transactions": [each.transaction_id for each in shown],
    }
    if operation.kind == "hold" and hold_id is not None:
        evidence["transaction_id"] = hold_id
    return evidence
