"""What is found of orders that were given back, of holds that ended twice, and of operations left planned."""

from decimal import Decimal
from uuid import UUID

import pytest

from fixtures.books import LATER, ORDER, ORGANIZATION, Book, after, consumed


def test_cancelled_order_that_was_paid_must_be_given_back(book: Book) -> None:
    consumed(book, book.hold(order="o1"))
    book.order("o1", "completed", after(minutes=5))
    book.order("o1", "cancelled", after(minutes=30))

    assert book.found(after(minutes=59)) == set()
    assert book.found(LATER) == {("charged_order_cancelled", ORDER)}
    assert book.finding("charged_order_cancelled")["amount_at_risk"] == Decimal(100)


def test_refund_of_a_cancelled_order_closes_its_finding(book: Book) -> None:
    consumed(book, book.hold(order="o1"))
    book.order("o1", "cancelled", after(minutes=30))
    book.found(LATER)

    book.topup(after(hours=3), "60", order="o1")
    assert book.found(after(hours=4)) == {("charged_order_cancelled", ORDER)}
    assert book.finding("charged_order_cancelled")["amount_at_risk"] == Decimal(40)

    book.topup(after(hours=5), "40", order="o1")
    assert book.found(after(hours=6)) == set()


@pytest.mark.parametrize("names_order", [True, False])
def test_refund_that_names_only_its_charge_is_of_its_order(book: Book, names_order: bool) -> None:
    hold = book.hold(order="o1")
    charge = book.charge(after(minutes=5), hold_id=hold, consumes=True, order="o1" if names_order else None)
    book.order("o1", "cancelled", after(minutes=30))
    assert book.found(LATER) == {("charged_order_cancelled", ORDER)}

    book.topup(after(hours=3), refund_of=charge)
    assert book.found(after(hours=4)) == set()
    assert book.open_at(LATER) == {("charged_order_cancelled", ORDER)}

    book.topup(after(hours=5), "40", refund_of=charge)
    assert book.found(after(hours=6)) == {("refund_exceeds_charge", ORDER)}


def test_refund_that_arrives_before_its_charge_counts(book: Book) -> None:
    """The operation after the refund gets the id that the refund names."""
    hold = book.hold(order="o1")
    coming = str(UUID(int=UUID(hold).int + 2))
    book.topup(after(minutes=31), refund_of=coming)
    book.order("o1", "cancelled", after(minutes=30))
    assert book.found(LATER) == {("order_failed_hold_open", hold)}

    assert consumed(book, hold) == coming

    assert book.found(after(hours=4)) == set()
    assert book.rows("select refunded, not_given_back from wallet.order_balance") == [(Decimal(100), Decimal(0))]


def test_refund_to_another_guest_gives_nothing_back(book: Book) -> None:
    charge = consumed(book, book.hold(order="o1"))
    book.order("o1", "cancelled", after(minutes=30))

    book.topup(after(minutes=31), refund_of=charge, guest="5f4e000a-0000-4000-8000-000000000009")

    assert book.found(LATER) == {("charged_order_cancelled", ORDER)}


def test_cancelled_order_with_unknown_refund_has_one_finding(book: Book) -> None:
    consumed(book, book.hold(order="o1"))
    book.order("o1", "cancelled", after(minutes=30))
    refund = book.topup(after(minutes=31), order="o1", state=("sent", "unknown"))

    assert book.found(LATER) == {("movement_outcome_unknown", refund)}


def test_refund_given_twice_is_one_finding(book: Book) -> None:
    consumed(book, book.hold(order="o1"))
    book.order("o1", "cancelled", after(minutes=30))
    refunds = [book.topup(after(minutes=each), order="o1") for each in (31, 32)]

    assert book.found(LATER) == {("refund_exceeds_charge", ORDER)}
    finding = book.finding("refund_exceeds_charge")
    assert (finding["amount_at_risk"], finding["evidence"]["refund_ids"]) == (Decimal(100), refunds)


def test_refund_of_an_order_that_was_never_paid_is_found(book: Book) -> None:
    book.order("o1", "cancelled", after(minutes=30))
    book.topup(after(minutes=31), order="o1")

    assert book.found(LATER) == {("refund_exceeds_charge", ORDER)}


def test_bonus_for_an_order_is_no_refund(book: Book) -> None:
    book.order("o1", "completed", after(minutes=5))
    book.topup(after(minutes=5), order="o1")

    assert book.found(LATER) == set()


def test_hold_that_was_cancelled_and_consumed_ended_twice(book: Book) -> None:
    hold = book.hold(order="o1")
    book.cancel(hold, after(minutes=4))
    consumed(book, hold)
    book.order("o1", "completed", after(minutes=5))

    assert book.found(after(minutes=34)) == set()
    assert book.found(LATER) == {("hold_ended_twice", hold)}


def test_hold_that_was_consumed_and_cancelled_ended_twice(book: Book) -> None:
    hold = book.hold()
    consumed(book, hold)
    book.cancel(hold, after(minutes=8))

    assert book.found(LATER) == {("hold_ended_twice", hold)}


def test_hold_that_one_till_consumed_twice_ended_twice(book: Book) -> None:
    hold = book.hold(order="o1")
    consumed(book, hold)
    consumed(book, hold, after(minutes=6))
    book.order("o1", "completed", after(minutes=6))

    assert book.found(LATER) == {("hold_ended_twice", hold)}


def test_hold_consumed_for_two_orders_ended_twice(book: Book) -> None:
    hold = book.hold()
    consumed(book, hold)
    consumed(book, hold, after(minutes=6), order="o2", source="import:other")

    assert book.found(LATER) == {("hold_ended_twice", hold)}


def test_hold_that_two_reported_cancelled_ended_once(book: Book) -> None:
    hold = book.hold()
    book.cancel(hold, after(minutes=4))
    book.cancel(hold, after(minutes=4), source="transactions")

    assert book.found(LATER) == set()


def test_planned_topup_is_found_after_a_day(book: Book) -> None:
    topup = book.topup(after(minutes=0), "1000", state="planned", source="dag")

    assert book.found(after(hours=23)) == set()
    assert book.found(after(days=30)) == {("operation_left_planned", topup)}


def test_rows_of_a_campaign_left_planned_are_one_finding(book: Book) -> None:
    for minute in range(3):
        book.topup(after(minutes=minute), "5", state="planned", source="topup:spring")

    assert book.found(after(days=3)) == {("operation_left_planned", f"{ORGANIZATION}:topup:spring")}
    finding = book.finding("operation_left_planned")
    assert (finding["amount_at_risk"], finding["evidence"]["operations"]) == (Decimal(15), 3)


def test_planned_operation_is_found_as_of_then_though_sent_since(book: Book) -> None:
    topup = book.topup(after(minutes=0), state="planned", source="dag")
    book.event(topup, "sent", after(days=3))
    book.event(topup, "confirmed", after(days=3, seconds=2))

    assert book.found(after(days=4)) == set()
    assert book.found(after(days=2)) == {("operation_left_planned", topup)}
