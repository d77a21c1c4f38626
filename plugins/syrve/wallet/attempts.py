"""Carries a money movement out in as many attempts as it takes, each a separate operation that is sent at most once."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from syrve.wallet.errors import MoneyNotSent, MoneyTurnedAway
from syrve.wallet.money import Money
from syrve.wallet.operations import Operation, OperationState
from syrve.wallet.settle import Settler


def carry_out(money: Money, operation: Operation) -> OperationState:
    """Go on with the latest attempt of an operation, settle it where its outcome is unknown, and return it.

    Attempts are numbered after the key. Another one is made only where the one before certainly was not carried out for a reason that may
    pass. Raises `MoneyNotSent` if that is so again (`MoneyTurnedAway` if a person has to act first), `LedgerConflict`,
    `UnusableOperation`, a `SyrveError` or `WarehouseError`.
    """
    attempts = (replace(operation, key=f"{operation.key}:{number}") for number in count(1))
    for attempt in attempts:
        found = money.ledger.find(attempt.source, attempt.key)
        if found is not None and found.may_be_tried_again:
            found = money.recall(found.operation_id)
        if found is None or not found.may_be_tried_again:
            break
    planned = money.ledger.plan(attempt)
    money.step(f"{operation.kind} planned")
    done = money.execute(planned.operation_id)
    if done.state == "unknown":
        done = Settler(money).settle(done.operation_id).operation
    if done.may_be_tried_again:
        problem = MoneyTurnedAway if done.needs_somebody else MoneyNotSent
        raise problem(
            f"{operation.kind}: nothing moved ({done.why_nothing_moved}); the same again makes another attempt"
        )
    return done


def latest_attempt(money: Money, source: str, key: str) -> OperationState | None:
    """Return the latest attempt under a key, None if there was none."""
    latest = None
    for number in count(1):
        found = money.ledger.find(source, f"{key}:{number}")
        if found is None:
            break
        latest = found
    return latest
