"""What is found of charges: without a hold, of another sum, twice for one; and of balances that nobody explains."""

import pytest

from fixtures.books import GUEST, ORGANIZATION, START, WALLET, Book, after

OTHER = "5f4e0001-0000-4000-8000-0000000000ff"
"""Another organization of the same network."""


def test_charge_that_no_hold_is_for_is_found_until_it_is_old(book: Book) -> None:
    charge = book.charge(START, order="7")

    assert book.found(after(minutes=30, seconds=-1)) == set()
    assert book.found(after(minutes=30)) == {("charge_without_hold", charge)}
    assert book.found(after(days=7, seconds=-1)) == {("charge_without_hold", charge)}
    assert book.found(after(days=7)) == set()


def test_charge_whose_hold_arrives_late_is_found_no_more(book: Book) -> None:
    charge = book.charge(after(minutes=1))
    assert book.found(after(hours=1)) == {("charge_without_hold", charge)}

    book.cancel(book.hold(START), after(minutes=2))

    assert book.found(after(hours=2)) == set()


def test_charge_that_names_an_unknown_hold_is_found(book: Book) -> None:
    book.hold(after(minutes=-1))
    charge = book.charge(START, hold_id="5f4e0001-0000-4000-8000-000000000001")

    assert ("charge_without_hold", charge) in book.found(after(minutes=30))


def test_second_charge_for_one_hold_is_found(book: Book) -> None:
    hold = book.hold()
    book.charge(after(minutes=1))
    book.cancel(hold, after(minutes=2))
    second = book.charge(after(minutes=3))

    assert book.found(after(hours=1)) == {("charge_without_hold", second)}


@pytest.mark.parametrize(
    "fields", [{"source": "transactions"}, {"state": ("planned", "sent", "confirmed"), "source": "dag"}]
)
def test_charges_that_need_no_hold_are_not_found(book: Book, fields: dict[str, str]) -> None:
    book.charge(START, **fields)

    assert book.found(after(hours=1)) == set()


@pytest.mark.parametrize(("amount", "severity", "risk"), [("90.00", "medium", "10.00"), ("100.01", "high", "0.01")])
def test_charge_of_another_sum_than_was_held_is_found(book: Book, amount: str, severity: str, risk: str) -> None:
    hold = book.hold(order="7")
    book.order("7", "completed", START)
    book.charge(after(minutes=1), amount, hold_id=hold)
    book.cancel(hold, after(minutes=1))

    assert book.found(after(minutes=31, seconds=-1)) == set()
    assert book.found(after(minutes=31)) == {("charge_amount_mismatch", hold)}
    finding = book.finding("charge_amount_mismatch")
    assert (finding["severity"], str(finding["amount_at_risk"])) == (severity, risk)

    assert book.found(after(days=8)) == set()


def test_charges_that_add_up_to_the_hold_match(book: Book) -> None:
    hold = book.hold(order="7")
    book.charge(after(minutes=1), "60.00", hold_id=hold)
    assert ("charge_amount_mismatch", hold) in book.found(after(minutes=31))

    book.charge(after(minutes=31), "40.00", order="7")
    book.cancel(hold, after(minutes=32))

    assert book.found(after(hours=2)) == set()


def test_consumption_that_two_tell_of_counts_once(book: Book) -> None:
    hold = book.hold(order="7")
    book.charge(after(minutes=1), hold_id=hold, consumes=True)
    book.charge(after(minutes=2), hold_id=hold, consumes=True, source="transactions")

    assert book.found(after(hours=2)) == set()


def test_sums_within_the_tolerance_are_the_same(book: Book) -> None:
    book.limits = book.limits.changed({"amount_tolerance": "0.05"})
    hold = book.hold(order="7")
    book.charge(after(minutes=1), "100.05", hold_id=hold)
    book.cancel(hold, after(minutes=1))
    other = book.hold(amount="50.00", order="8")
    book.charge(after(minutes=1), "50.06", hold_id=other)
    book.cancel(other, after(minutes=1))

    assert book.found(after(hours=1)) == {("charge_amount_mismatch", other)}


def test_change_of_balance_that_nobody_reported_is_found_while_a_hold_is_open(book: Book) -> None:
    hold = book.hold(order="7")
    book.order("7", "open", START)
    book.look((after(days=-9), "500.00"), (after(hours=1), "480.00"))

    subject = f"{ORGANIZATION}:{GUEST}:{WALLET}"
    assert book.found(after(hours=1, seconds=119)) == set()
    # The hold may or may not be part of the balance: the smaller difference is told.
    assert book.found(after(hours=1, seconds=120)) == {("unexplained_balance_change", subject)}
    assert str(book.finding("unexplained_balance_change")["amount_at_risk"]) == "20.00"

    book.charge(after(minutes=30), "20.00", order="8", source="transactions")
    assert book.found(after(hours=2)) == set(), "explained by a row that arrived late"
    book.cancel(hold, after(hours=3))
    assert book.found(after(hours=3)) == set()


@pytest.mark.parametrize("moved", ["charge", "topup"])
def test_movement_through_another_organization_explains(book: Book, moved: str) -> None:
    book.hold(order="7")
    book.order("7", "open", START)
    change = 20 if moved == "topup" else -20
    book.look((after(days=-9), "500.00"), (after(hours=1), f"{500 + change}.00"))
    assert book.rules_at(after(hours=2)) == {"unexplained_balance_change": 1}

    getattr(book, moved)(after(minutes=30), "20.00", order="8", organization=OTHER)

    assert book.found(after(hours=2)) == set()


@pytest.mark.parametrize(
    ("after_hold", "shows", "found"),
    [("500.00", None, 0), ("400.00", None, 0), ("400.00", True, 1), ("400.00", False, 0)],
)
def test_balance_may_or_may_not_show_held_money(book: Book, after_hold: str, shows: bool | None, found: int) -> None:
    book.limits = book.limits.changed({"balance_shows_held_money": shows})
    book.hold(order="7")
    book.order("7", "open", START)
    book.topup(after(minutes=30), "1.00")
    seen = str(int(after_hold[:3]) + 1) + ".00"
    book.look((after(days=-9), "500.00"), (after(hours=1), seen))

    assert book.rules_at(after(hours=2)) == ({"unexplained_balance_change": 1} if found else {})


def test_movement_close_to_a_look_or_of_unknown_outcome_makes_it_no_evidence(book: Book) -> None:
    book.hold(order="7")
    book.order("7", "open", START)
    book.look((after(days=-9), "500.00"), (after(hours=1), "480.00"), (after(hours=2), "450.00"))
    book.topup(after(hours=1, seconds=100), "5.00")
    assert book.rules_at(after(hours=3)) == {}

    book.topup(after(hours=1.5), "5.00", state="unknown")
    assert book.rules_at(after(hours=3)) == {"movement_outcome_unknown": 1}


def test_balance_of_a_wallet_without_an_open_hold_is_nobodys_business(book: Book) -> None:
    book.look((after(days=-9), "500.00"), (after(hours=1), "480.00"))

    assert book.rules_at(after(hours=3)) == {}
