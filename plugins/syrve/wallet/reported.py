"""What one row of Syrve's transactions report can be: people quote our markers in their own comments, so a marker proves nothing."""

from __future__ import annotations

from decimal import Decimal

from syrve.api.models import Transaction
from syrve.values import without_float_noise
from syrve.wallet.operations import Kind

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
