"""Each rule: fires, does not fire just below its threshold, and closes by itself."""

import pytest

from fixtures.books import GUEST, START, Book, after
from syrve.findings.rules import all_rules

OTHER_WALLET = "5f4e000b-0000-4000-8000-000000000002"


def test_ten_rules_of_the_design_are_there() -> None:
    assert {rule.name for rule in all_rules()} >= {
        "stale_hold",
        "order_failed_hold_open",
        "charged_hold_open",
        "hold_without_order",
        "hold_outcome_unknown",
        "cancel_outcome_unknown",
        "duplicate_hold",
        "charge_without_hold",
        "charge_amount_mismatch",
        "unexplained_balance_change",
    }


@pytest.mark.parametrize("state", ["open", "completed"])
def test_hold_is_stale_once_it_is_older_than_its_time_to_live(book: Book, state: str) -> None:
    hold = book.hold(order="7")
    book.order("7", state, after(minutes=1))

    assert book.found(after(hours=4, seconds=-1)) == set()
    assert book.found(after(hours=4)) == {("stale_hold", hold)}

    book.cancel(hold, after(hours=5))
    assert book.found(after(hours=5)) == set()
    assert book.finding("stale_hold")["status"] == "resolved"


def test_hold_that_the_till_consumed_is_nothing(book: Book) -> None:
    hold = book.hold(order="7")
    book.order("7", "completed", after(minutes=1))
    book.charge(after(minutes=2), hold_id=hold, consumes=True, order="7")

    assert book.found(after(days=2)) == set()


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_open_hold_of_an_order_that_failed_is_found(book: Book, state: str) -> None:
    hold = book.hold(order="7")
    book.order("7", "open", START)
    book.order("7", state, after(hours=1))

    assert book.found(after(hours=1.5, seconds=-1)) == set()
    assert book.found(after(hours=1.5)) == {("order_failed_hold_open", hold)}
    assert book.found(after(days=3)) == {("order_failed_hold_open", hold)}, "and is not called stale too"

    book.cancel(hold, after(days=4))
    assert book.found(after(days=4)) == set()


def test_order_that_was_taken_up_again_is_open(book: Book) -> None:
    book.hold(order="7")
    book.order("7", "failed", after(minutes=1))
    book.order("7", "open", after(minutes=20))

    assert book.found(after(hours=2)) == set()


def test_payment_of_the_reference_document_by_a_third_party_is_found(book: Book) -> None:
    hold = book.hold(order="7")
    book.order("7", "completed", after(minutes=20))
    charge = book.charge(after(minutes=21))

    assert book.found(after(minutes=51, seconds=-1)) == set()
    assert book.found(after(minutes=51)) == {("charged_hold_open", hold)}
    finding = book.finding("charged_hold_open")
    assert (finding["evidence"]["charge_id"], finding["evidence"]["matched_by"]) == (charge, "sum")
    assert finding["severity"] == "high"
    assert book.found(after(days=1)) == {("charged_hold_open", hold)}

    book.cancel(hold, after(days=2))
    assert book.found(after(days=2)) == set()


def test_charge_that_names_the_order_is_certain(book: Book) -> None:
    hold = book.hold(order="7")
    book.order("7", "completed", after(minutes=20))
    book.charge(after(minutes=21), order="7")

    assert book.found(after(hours=1)) == {("charged_hold_open", hold)}
    assert book.finding("charged_hold_open")["severity"] == "critical"
    assert book.finding("charged_hold_open")["evidence"]["matched_by"] == "order"


def test_charge_of_another_order_wallet_or_sum_or_before_the_hold_is_not_its_charge(book: Book) -> None:
    book.hold(order="7")
    book.order("7", "open", START)
    book.charge(after(minutes=1), order="8", source="dag")
    book.charge(after(minutes=1), wallet=OTHER_WALLET)
    book.charge(after(minutes=1), "99.99")
    book.charge(after(minutes=-1))
    book.charge(after(hours=24, seconds=1))

    assert book.rules_at(after(hours=3)).keys() <= {"charge_without_hold"}


def test_each_charge_pays_for_one_hold_only(book: Book) -> None:
    first = book.hold(START, order="7")
    second = book.hold(after(minutes=10), order="8")
    for order in ("7", "8"):
        book.order(order, "open", START)
    book.charge(after(minutes=20))

    assert book.found(after(hours=1)) == {("charged_hold_open", second)}, "the latest before it"

    book.charge(after(minutes=70))
    assert book.found(after(hours=2)) == {("charged_hold_open", second), ("charged_hold_open", first)}


def test_hold_that_has_a_charge_of_its_own_leaves_others_to_others(book: Book) -> None:
    first = book.hold(START, order="7")
    second = book.hold(after(minutes=10), order="8")
    for order in ("7", "8"):
        book.order(order, "completed", after(minutes=11))
    book.charge(after(minutes=15), hold_id=second)
    book.cancel(second, after(minutes=16))
    book.charge(after(minutes=20))

    assert book.found(after(hours=1)) == {("charged_hold_open", first)}


def test_hold_without_an_order_is_found(book: Book) -> None:
    nameless = book.hold()
    unheard = book.hold(order="9", amount="7.00")

    assert book.found(after(hours=1, seconds=-1)) == set()
    assert book.found(after(hours=1)) == {("hold_without_order", nameless), ("hold_without_order", unheard)}

    book.order("9", "open", after(minutes=61))
    assert book.found(after(minutes=61)) == {("hold_without_order", nameless)}


@pytest.mark.parametrize("state", ["sent", "unknown", ("sent", "unknown")])
def test_hold_of_unknown_outcome_is_found_by_one_rule_only(book: Book, state: str) -> None:
    hold = book.hold(state=state)

    assert book.found(after(minutes=15, seconds=-1)) == set()
    assert book.found(after(minutes=15)) == {("hold_outcome_unknown", hold)}
    assert book.found(after(days=1)) == {("hold_outcome_unknown", hold)}

    book.event(hold, "rejected", after(days=2))
    assert book.found(after(days=2)) == set()


def test_hold_that_turned_out_to_be_made_is_the_other_rules_business(book: Book) -> None:
    hold = book.hold(state="unknown")
    book.event(hold, "confirmed", after(hours=2))

    assert book.found(after(hours=1)) == {("hold_outcome_unknown", hold)}
    assert book.found(after(hours=2)) == {("hold_without_order", hold)}


def test_planned_hold_is_no_open_hold(book: Book) -> None:
    hold = book.hold(state="planned", source="payment")

    assert book.found(after(hours=23)) == set()
    assert book.found(after(days=9)) == {("operation_left_planned", hold)}


@pytest.mark.parametrize("state", ["sent", "unknown"])
def test_cancellation_of_unknown_outcome_speaks_for_its_hold(book: Book, state: str) -> None:
    hold = book.hold()
    cancellation = book.cancel(hold, after(hours=3), state=state)

    assert book.found(after(hours=3, seconds=-1)) == {("hold_without_order", hold)}
    assert book.found(after(hours=3, minutes=15, seconds=-1)) == set()
    assert book.found(after(hours=3, minutes=15)) == {("cancel_outcome_unknown", cancellation)}
    assert str(book.finding("cancel_outcome_unknown")["amount_at_risk"]) == "100.00"

    book.event(cancellation, "rejected", after(hours=5))
    assert book.found(after(hours=5)) == {("stale_hold", hold), ("hold_without_order", hold)}


def test_cancellation_that_succeeded_after_all_closes_everything(book: Book) -> None:
    hold = book.hold()
    cancellation = book.cancel(hold, after(hours=3), state="unknown")
    book.found(after(hours=4))

    book.event(cancellation, "confirmed", after(hours=5))

    assert book.found(after(hours=5)) == set()
    assert book.finding("cancel_outcome_unknown")["status"] == "resolved"


@pytest.mark.parametrize("kind", ["topup", "chargeoff"])
def test_movement_of_unknown_outcome_is_found_until_evidence_settles_it(book: Book, kind: str) -> None:
    operation = book.operation(kind, START, "100.00", state=("planned", "sent", "unknown"), source="dag")

    assert book.found(after(minutes=15, seconds=-1)) == set()
    assert book.found(after(minutes=15)) == {("movement_outcome_unknown", operation)}

    book.event(operation, "rejected", after(hours=2))
    assert book.found(after(hours=2)) == set()
    assert book.found(after(hours=1)) == {("movement_outcome_unknown", operation)}, "as of then it was not known"


def test_moment_in_which_a_cancellation_was_under_way_stays_so(book: Book) -> None:
    hold = book.hold()
    cancellation = book.cancel(hold, after(hours=5), state="sent")
    moment = after(hours=5, seconds=10)
    assert book.found(moment) == set()

    book.event(cancellation, "rejected", after(hours=5, seconds=20))

    assert book.found(moment) == set(), "although the ledger keeps no row of operations as short as that"
    assert book.found(after(hours=5, seconds=20)) == {("stale_hold", hold), ("hold_without_order", hold)}


def test_second_open_hold_of_an_order_is_a_duplicate(book: Book) -> None:
    book.order("7", "open", START)
    first, second = book.hold(order="7"), book.hold(after(hours=1), "60.00", order="7")
    book.hold(after(hours=1), order="7", wallet=OTHER_WALLET)

    assert book.found(after(hours=1, seconds=-1)) == set()
    assert book.found(after(hours=1)) == {("duplicate_hold", second)}
    assert book.finding("duplicate_hold")["evidence"]["former_hold_id"] == first

    book.cancel(first, after(hours=2))
    assert book.found(after(hours=2)) == set()


@pytest.mark.parametrize(("seconds", "found"), [(300, 1), (301, 0)])
def test_holds_without_an_order_are_duplicates_within_a_window(book: Book, seconds: int, found: int) -> None:
    book.hold()
    book.hold(after(seconds=seconds))
    book.hold(after(seconds=10), "99.99")

    assert book.rules_at(after(minutes=6)) == ({"duplicate_hold": found} if found else {})


def test_cancellation_of_a_hold_that_nobody_told_of_is_found_and_later_has_an_owner(book: Book) -> None:
    unknown = "5f4e0001-0000-4000-8000-000000000001"
    cancellation = book.cancel(unknown, START, state="unknown", guest=None, wallet=None)

    assert book.found(after(hours=1)) == {("cancel_outcome_unknown", cancellation)}

    told = book.hold(after(minutes=-5), state="sent")
    book.event(told, "confirmed", after(minutes=-4), transaction_id=unknown)
    assert book.found(after(hours=2)) == {("cancel_outcome_unknown", cancellation)}
    assert book.rows("select customer_id::text, hold_id::text from wallet.finding") == [(GUEST, told)]
