"""Which rows of Syrve's transactions report can be an operation: by marker, wallet, amount and direction."""

from dataclasses import replace
from decimal import Decimal

import pytest

from syrve.api.models import Transaction
from syrve.wallet.operations import Kind, OperationState
from syrve.wallet.reported import change_of, evidence_of, may_be, shows

OPERATION = "5f4e0000-0000-4000-8000-000000000001"
HOLD = "5f4e0000-0000-4000-8000-000000000002"
WALLET = "5f4e0000-0000-4000-8000-000000000003"
OTHER = "5f4e0000-0000-4000-8000-000000000009"
EARLIER = "5f4e0000-0000-4000-8000-000000000000"
"""An id that sorts before the others."""
AMOUNT = Decimal("50.00")


def row(
    *,
    before: str | None = "100",
    after: str | None = "150",
    amount: str | None = "50.00",
    comment: str | None = f"Bonus #{OPERATION}",
    transaction_id: str = OTHER,
    wallet_id: str | None = WALLET,
) -> Transaction:
    def number(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    return Transaction(
        transaction_id=transaction_id,
        revision=1,
        type=None,
        type_name=None,
        amount=number(amount),
        balance_before=number(before),
        balance_after=number(after),
        wallet_id=wallet_id,
        program_id=None,
        comment=comment,
        api_client_login=None,
        created_at=None,
        order_number=None,
        order_sum=None,
        pos_order_id=None,
    )


def operation(kind: Kind = "topup", *, hold_id: str | None = None, wallet_id: str | None = WALLET) -> OperationState:
    return OperationState(
        operation_id=OPERATION,
        kind=kind,
        organization_id=OTHER,
        customer_id=OTHER,
        wallet_id=wallet_id,
        amount=AMOUNT,
        order_id=None,
        hold_id=hold_id,
        comment="Bonus",
        source="test",
        consumes_hold=False,
        state="unknown",
        sequence=3,
        state_at=None,
    )


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ("100", "150", "50"),
        ("150", "100", "-50"),
        ("0", "0.1000000000000000055", "0.1"),
        (None, "1", None),
        ("1", None, None),
    ],
)
def test_change_is_after_less_before(before: str | None, after: str | None, change: str | None) -> None:
    assert change_of(row(before=before, after=after)) == (None if change is None else Decimal(change))


@pytest.mark.parametrize(
    ("kind", "directions"),
    [("topup", {1}), ("chargeoff", {-1}), ("hold", {-1, 0, 1}), ("cancel_hold", {0, 1})],
)
def test_direction_of_the_balance_fits_the_kind(kind: Kind, directions: set[int]) -> None:
    fitting = {way for way in (-1, 0, 1) if may_be(kind, AMOUNT, row(before="100", after=str(100 + 50 * way)))}

    assert fitting == directions


@pytest.mark.parametrize(("amount", "fits"), [("50", True), ("-50.000", True), ("50.01", False), ("49.99", False)])
def test_amount_of_a_row_is_that_of_the_operation(amount: str, fits: bool) -> None:
    assert may_be("topup", AMOUNT, row(amount=amount, before=None)) is fits


def test_row_without_amount_and_balances_proves_nothing() -> None:
    assert not may_be("topup", AMOUNT, row(amount=None, before=None))
    assert may_be("topup", AMOUNT, row(amount=None))
    assert not may_be("topup", AMOUNT, row(amount=None, after="149"))


def test_operation_of_unknown_amount_may_be_any_row() -> None:
    assert may_be("hold", None, row(amount="1", after="3"))


def test_marked_row_of_the_wallet_shows_the_operation() -> None:
    assert shows(operation(), row())
    assert shows(operation(), row(comment=f"#{OPERATION.upper()}"))
    assert not shows(operation(), row(comment=f"#{OTHER}"))
    assert not shows(operation(), row(comment=None))
    assert not shows(operation(), row(after="50"))


def test_row_of_another_wallet_shows_nothing() -> None:
    assert not shows(operation(), row(wallet_id=OTHER))
    assert shows(operation(), row(wallet_id=None))
    assert shows(operation(wallet_id=None), row(wallet_id=OTHER))


def test_hold_is_shown_by_its_id_without_a_marker() -> None:
    named = row(transaction_id=OPERATION, comment=None, amount=None, before=None)

    assert shows(operation("hold"), named)
    assert not shows(operation("topup"), named)
    assert not shows(operation("chargeoff"), named)
    assert not shows(operation("hold"), replace(named, transaction_id=EARLIER))
    assert shows(operation("hold"), replace(named, transaction_id="".join(OPERATION.partition("-"))))
    assert not shows(operation("hold"), replace(named, transaction_id=OTHER))


def test_end_of_a_hold_is_the_row_that_gives_back() -> None:
    ends = operation("cancel_hold", hold_id=HOLD)
    given_back = row(comment=f"#{HOLD}")

    assert shows(ends, given_back)
    assert shows(ends, replace(given_back, transaction_id=EARLIER))
    assert not shows(ends, replace(given_back, transaction_id=HOLD))
    assert not shows(ends, replace(given_back, balance_after=Decimal(50)))
    assert not shows(ends, replace(given_back, balance_after=None))
    assert not shows(ends, replace(given_back, comment=f"#{OPERATION}"))
    assert not shows(replace(ends, amount=None), replace(given_back, balance_after=None))


def test_evidence_lists_rows_and_the_id_of_a_hold() -> None:
    shown = [row(transaction_id=HOLD), row()]
    listed = {"reason": "transactions_report", "transactions": [HOLD, OTHER]}

    assert evidence_of(operation("topup"), shown, HOLD) == listed
    assert evidence_of(operation("chargeoff"), shown, HOLD) == listed
    assert evidence_of(operation("hold"), shown, None) == listed
    assert evidence_of(operation("hold"), shown, HOLD) == listed | {"transaction_id": HOLD}
