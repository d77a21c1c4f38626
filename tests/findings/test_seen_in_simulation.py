"""What the simulation of `test_simulation` once found wrong, each by itself."""

from datetime import timedelta

from fixtures.books import GUEST, START, Book, after

NOT_TOLD_OF = "5f4e0001-0000-4000-8000-000000000001"
SECOND_OPERATION = "5f4e0005-0000-4000-8000-000000000002"
"""The id that the book of a test gives to its second operation."""


def test_lost_cancellation_of_a_hold_that_nobody_told_of_stops_no_run_and_is_found(book: Book) -> None:
    cancellation = book.cancel(NOT_TOLD_OF, START, state="unknown", guest=None, wallet=None)
    hold = book.hold(after(minutes=-10))

    found = book.found(after(hours=5))

    assert ("cancel_outcome_unknown", cancellation) in found
    assert ("stale_hold", hold) in found


def test_finding_takes_over_whose_it_is_once_the_hold_is_told_of(book: Book) -> None:
    book.cancel(SECOND_OPERATION, after(minutes=1), state="unknown", guest=None, wallet=None)
    book.found(after(hours=1))
    assert book.rows("select customer_id from wallet.finding") == [(None,)]

    assert book.hold() == SECOND_OPERATION
    book.found(after(hours=1))

    ((customer_id, amount),) = book.rows("select customer_id::text, amount_at_risk::text from wallet.finding")
    assert (customer_id, amount) == (GUEST, "100.00")


def test_consumption_that_two_tell_of_was_made_once(book: Book) -> None:
    hold = book.hold(order="7")
    book.charge(after(minutes=1), hold_id=hold, order="7", consumes=True, source="payment")
    book.charge(after(minutes=2), hold_id=hold, order="7", consumes=True, source="import:till")

    assert book.found(after(hours=1)) == set()


def test_second_charge_of_an_order_is_found_however_long_after_the_first(book: Book) -> None:
    hold = book.hold(order="7")
    book.order("7", "completed", START)
    book.charge(after(minutes=1), order="7")
    book.cancel(hold, after(minutes=2))
    long_after = after(minutes=1) + timedelta(seconds=book.limits.lookback_seconds)
    book.charge(long_after, order="7")

    assert book.found(long_after + timedelta(hours=1)) == {("charge_amount_mismatch", hold)}


def test_dead_sender_of_another_charge_silences_no_finding(book: Book) -> None:
    book.hold(order="7")
    book.order("7", "failed", after(minutes=5))
    book.charge(after(minutes=6), order="7", state=("sent", "confirmed"))
    other = book.charge(after(minutes=7), order="7", state="sent")
    found = book.found(after(days=2))

    book.event(other, "unknown", after(days=3))

    assert "charged_order_cancelled" in {rule for rule, _ in found}
    assert book.found(after(days=3, minutes=1)) == found
