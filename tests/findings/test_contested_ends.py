"""An end that does not agree with its hold ends nothing and is a finding, until the right end is known."""

import pytest

from fixtures.books import GUEST, ORGANIZATION, OTHER_ORGANIZATION, WALLET, Book, after
from syrve.findings.thresholds import Limits
from syrve.wallet.importing import WalletImport
from syrve.warehouse.runs import TaskKey

OTHER = "5f4e000a-0000-4000-8000-000000000009"
LATER = after(hours=2)
QUIET = Limits(rules_off=("stale_hold", "hold_without_order", "charge_without_hold"))
DIFFERENCES = {
    "organization": {"organization_id": OTHER_ORGANIZATION},
    "customer": {"customer_id": OTHER},
    "wallet": {"wallet_id": OTHER},
    "amount": {"amount": "70.00"},
}


@pytest.fixture
def quiet(book: Book) -> Book:
    book.limits = QUIET
    return book


def report(book: Book, hold: str, record: str = "cancel_hold", **fields: str) -> int:
    """Import an end of a hold five minutes after it was made; how many rows were refused."""
    row = {
        "record": record,
        "key": f"{record} {fields}",
        "occurred_at": after(minutes=5).isoformat(),
        "organization_id": ORGANIZATION,
        "hold_id": hold,
        "customer_id": GUEST,
        "wallet_id": WALLET,
        "amount": "100.00",
        "consumes_hold": "true" if record == "chargeoff" else "",
    }
    job = WalletImport(book.warehouse, key=TaskKey("run", "import"), source="till")
    return job.run([row | fields]).rejected


@pytest.mark.parametrize("record", ["cancel_hold", "chargeoff"])
@pytest.mark.parametrize("difference", DIFFERENCES)
def test_end_of_other_money_is_a_finding(quiet: Book, record: str, difference: str) -> None:
    hold = quiet.hold()

    assert report(quiet, hold, record, **DIFFERENCES[difference]) == 1

    assert quiet.found(after(minutes=34)) == set()
    assert quiet.found(LATER) == {("hold_end_contested", hold)}
    (told,) = quiet.finding("hold_end_contested")["evidence"]["reports"]
    assert (told["kind"], told["differs_in"]) == (record, [difference])


def test_contested_end_is_found_if_its_hold_is_known_later(quiet: Book) -> None:
    hold = "5f4e0005-0000-4000-8000-000000000002"  # the second operation of the book
    quiet.cancel(hold, after(minutes=5), guest=OTHER)

    assert quiet.hold(after(minutes=1)) == hold

    assert quiet.found(LATER) == {("hold_end_contested", hold)}


def test_contested_end_closes_once_the_right_one_is_known(quiet: Book) -> None:
    hold = quiet.hold()
    report(quiet, hold, amount="70.00")
    quiet.found(LATER)

    quiet.cancel(hold, after(hours=3))

    assert quiet.found(after(hours=4)) == set()
    assert quiet.open_at(LATER) == {("hold_end_contested", hold)}


def test_contested_end_of_a_hold_that_is_over_stays_a_week(quiet: Book) -> None:
    hold = quiet.hold()
    quiet.cancel(hold, after(minutes=3))
    report(quiet, hold, "chargeoff", amount="70.00")

    assert quiet.found(after(days=6)) == {("hold_end_contested", hold)}
    assert quiet.found(after(days=8)) == set()


def test_contested_end_of_an_open_hold_stays_for_years(quiet: Book) -> None:
    hold = quiet.hold()
    report(quiet, hold, customer_id=OTHER)

    assert quiet.found(after(days=800)) == {("hold_end_contested", hold)}


def test_contested_end_of_ours_that_was_corrected_is_no_finding(quiet: Book) -> None:
    hold = "5f4e0005-0000-4000-8000-000000000002"
    end = quiet.cancel(hold, after(minutes=5), guest=OTHER, state=("planned", "sent", "confirmed"), source="ops")
    quiet.hold(after(minutes=1))
    assert quiet.found(LATER) == {("hold_end_contested", hold)}

    quiet.event(end, "rejected", after(hours=3), "person")

    assert quiet.found(after(hours=4)) == set()


def test_contested_end_of_others_is_taken_back_as_of_its_time(quiet: Book) -> None:
    hold = "5f4e0005-0000-4000-8000-000000000002"
    end = quiet.charge(after(minutes=5), hold_id=hold, consumes=True, guest=OTHER, state=("sent", "unknown"))
    quiet.hold(after(minutes=1))

    assert quiet.found(LATER) == {("hold_end_contested", hold)}
    query = "select state, basis, occurred_at, evidence from wallet.operation_event where operation_id = %s and sequence = 3"
    assert quiet.rows(query, end) == [
        ("rejected", "report", after(minutes=5), {"reason": "contested", "hold_id": hold})
    ]


def test_disagreeing_end_is_no_second_end(quiet: Book) -> None:
    hold = "5f4e0005-0000-4000-8000-000000000002"
    quiet.charge(after(minutes=5), hold_id=hold, consumes=True, guest=OTHER)
    quiet.hold(after(minutes=1))
    quiet.cancel(hold, after(minutes=10))

    assert quiet.found(LATER) == {("hold_end_contested", hold)}
    assert quiet.rows("select 1 from wallet.hold_ended_again") == []


def test_corrected_end_is_no_second_end(quiet: Book) -> None:
    hold = quiet.hold()
    end = quiet.cancel(hold, after(minutes=5))
    quiet.charge(after(minutes=10), hold_id=hold, consumes=True)
    assert quiet.found(LATER) == {("hold_ended_twice", hold)}

    quiet.event(end, "rejected", after(hours=3), "person")

    assert quiet.found(after(hours=4)) == set()
    assert quiet.open_at(LATER) == {("hold_ended_twice", hold)}
    assert quiet.found(after(hours=2, minutes=30)) == {("hold_ended_twice", hold)}


@pytest.mark.parametrize("record", ["cancel_hold", "chargeoff"])
@pytest.mark.parametrize("difference", sorted(DIFFERENCES.keys() - {"organization"}))
def test_contested_end_comes_to_the_same_before_its_hold(quiet: Book, record: str, difference: str) -> None:
    hold, order = "5f4e0005-0000-4000-8000-000000000001", {"order_id": "order-1"}
    assert report(quiet, hold, record, **DIFFERENCES[difference]) == 0, "its hold is not known yet"

    assert report(quiet, hold, "hold", key="", occurred_at=after(minutes=1).isoformat(), **order) == 0

    assert quiet.found(LATER) == {("hold_end_contested", hold)}
    assert quiet.rows("select closed_by from wallet.hold") == [(None,)]
    assert quiet.rows("select operation_id from wallet.charge") == []
    assert quiet.rows("select consumed, open_amount from wallet.order_balance where order_id = 'order-1'") == [(0, 100)]


def test_consumption_of_the_right_sum_ends_the_contest(quiet: Book) -> None:
    hold = "5f4e0005-0000-4000-8000-000000000001"
    report(quiet, hold, "chargeoff", key="receipt", amount="70.00")
    report(quiet, hold, "hold", key="", occurred_at=after(minutes=1).isoformat())
    assert quiet.found(LATER) == {("hold_end_contested", hold)}

    assert report(quiet, hold, "chargeoff", key="receipt, corrected") == 0

    assert quiet.found(after(hours=3)) == set()
    assert quiet.rows("select closed_by from wallet.hold") == [("consumed",)]


def test_refused_consumption_may_be_corrected_under_its_key(quiet: Book) -> None:
    hold = quiet.hold()
    assert report(quiet, hold, "chargeoff", key="receipt", amount="70.00") == 1

    assert report(quiet, hold, "chargeoff", key="receipt") == 0

    assert quiet.found(LATER) == set()
    assert quiet.rows("select amount from wallet.charge") == [(100,)]
