"""Rules about orders as a whole: each history gives the one finding that it should, as of every moment, in any order of asking."""

from decimal import Decimal
from itertools import permutations

from fixtures.books import LATER, ORDER, ORGANIZATION, OTHER_ORGANIZATION, Book, after, consumed

OTHER_GUEST = "5f4e000a-0000-4000-8000-000000000002"


def balance(book: Book, order: str = "o1") -> dict[str, object]:
    names = "state, expected, held, open_amount, charged, consumed, refunded, unpaid, not_given_back, refunded_too_much, sources"
    (row,) = book.rows(f"select {names} from wallet.order_balance where order_id = %s", order)
    return {name: value for name, value in zip(names.split(", "), row, strict=True) if value not in (None, Decimal(0))}


# completed_order_unpaid


def test_completed_order_unpaid_when_its_hold_was_cancelled(book: Book) -> None:
    hold = book.hold(order="o1")
    book.order("o1", "completed", after(minutes=5))
    book.cancel(hold, after(minutes=10))

    assert book.found(after(minutes=39)) == set()
    assert book.found(LATER) == {("completed_order_unpaid", ORDER)}
    finding = book.finding("completed_order_unpaid")
    assert (finding["amount_at_risk"], finding["severity"]) == (Decimal(100), "high")
    assert finding["evidence"]["hold_ids"] == [hold]


def test_completed_order_unpaid_stays_open_for_years(book: Book) -> None:
    hold = book.hold(order="o1")
    book.order("o1", "completed", after(minutes=5))
    book.cancel(hold, after(minutes=10))

    assert book.found(after(days=800)) == {("completed_order_unpaid", ORDER)}


def test_completed_order_unpaid_closes_when_it_is_charged(book: Book) -> None:
    hold = book.hold(order="o1")
    book.order("o1", "completed", after(minutes=5))
    book.cancel(hold, after(minutes=10))
    book.found(LATER)

    book.charge(after(hours=3), order="o1")

    assert book.found(after(hours=4)) == set()
    assert book.open_at(LATER) == {("completed_order_unpaid", ORDER)}


def test_completed_order_unpaid_closes_when_it_is_written_off(book: Book) -> None:
    hold = book.hold(order="o1")
    book.order("o1", "completed", after(minutes=5))
    book.cancel(hold, after(minutes=10))
    book.found(LATER)

    book.order("o1", "completed", after(hours=3), amount="0")

    assert book.found(after(hours=4)) == set()


def test_completed_order_is_no_finding_while_a_hold_is_open(book: Book) -> None:
    book.hold(order="o1")
    book.order("o1", "completed", after(minutes=5))

    assert book.found(LATER) == set()


def test_completed_order_with_unknown_charge_has_one_finding(book: Book) -> None:
    hold = book.hold(order="o1")
    book.order("o1", "completed", after(minutes=5))
    book.cancel(hold, after(minutes=10))
    charge = book.charge(after(minutes=11), order="o1", hold_id=hold, state=("sent", "unknown"))

    assert book.found(LATER) == {("movement_outcome_unknown", charge)}


def test_completed_order_whose_charge_was_refused_is_unpaid(book: Book) -> None:
    hold = book.hold(order="o1")
    book.order("o1", "completed", after(minutes=5))
    book.cancel(hold, after(minutes=10))
    book.charge(after(minutes=11), order="o1", hold_id=hold, state=("sent", "rejected"))

    assert book.found(LATER) == {("completed_order_unpaid", ORDER)}


def test_open_hold_of_one_guest_is_no_cover_for_another(book: Book) -> None:
    hold = book.hold(order="o1", amount="30")
    theirs = book.hold(order="o1", amount="30", guest=OTHER_GUEST)
    book.order("o1", "completed", after(minutes=5), amount="60")
    book.charge(after(minutes=6), order="o1", amount="30")
    book.cancel(theirs, after(minutes=10), guest=OTHER_GUEST)

    assert book.found(LATER) == {("charged_hold_open", hold), ("completed_order_unpaid", ORDER)}
    assert balance(book)["unpaid"] == Decimal(30)


def test_open_hold_covers_what_was_not_taken_of_its_wallet(book: Book) -> None:
    first = book.hold(order="o1", amount="30")
    book.hold(after(minutes=1), order="o1", amount="20")
    book.order("o1", "completed", after(minutes=5), amount="50")
    book.cancel(first, after(minutes=6))
    book.charge(after(minutes=7), order="o1", amount="30")

    assert balance(book).get("unpaid") is None


def test_split_bill_of_which_one_part_was_not_taken(book: Book) -> None:
    mine = book.hold(order="o1", amount="70")
    theirs = book.hold(order="o1", amount="30", guest=OTHER_GUEST)
    book.order("o1", "completed", after(minutes=5), amount="100")
    consumed(book, mine, amount="70")
    book.cancel(theirs, after(minutes=10), guest=OTHER_GUEST)

    assert book.found(LATER) == {("completed_order_unpaid", ORDER)}
    assert book.finding("completed_order_unpaid")["amount_at_risk"] == Decimal(30)
    assert balance(book) == {
        "state": "completed",
        "expected": Decimal(100),
        "held": Decimal(100),
        "consumed": Decimal(70),
        "unpaid": Decimal(30),
        "sources": ["import:till"],
    }


def test_split_bill_with_a_part_unknown_and_a_part_unpaid(book: Book) -> None:
    mine = book.hold(order="o1", amount="70")
    unknown = book.hold(order="o1", amount="30", guest=OTHER_GUEST, state=("sent", "unknown"))
    book.order("o1", "completed", after(minutes=5), amount="100")
    book.cancel(mine, after(minutes=10))

    assert book.found(LATER) == {("completed_order_unpaid", ORDER), ("hold_outcome_unknown", unknown)}
    assert book.finding("completed_order_unpaid")["amount_at_risk"] == Decimal(70)


def test_split_bill_that_all_paid_is_no_finding(book: Book) -> None:
    mine = book.hold(order="o1", amount="70")
    theirs = book.hold(order="o1", amount="30", guest=OTHER_GUEST)
    book.order("o1", "completed", after(minutes=5), amount="100")
    consumed(book, mine, amount="70")
    consumed(book, theirs, amount="30", guest=OTHER_GUEST)

    assert book.found(LATER) == set()


def test_order_held_twice_and_paid_once_is_no_finding(book: Book) -> None:
    first, second = book.hold(order="o1"), book.hold(after(minutes=1), order="o1")
    book.order("o1", "completed", after(minutes=5))
    consumed(book, second)
    book.cancel(first, after(minutes=10))

    assert book.found(LATER) == set()


def test_order_of_which_a_part_was_paid_in_cash_is_no_finding(book: Book) -> None:
    consumed(book, book.hold(order="o1"))
    book.order("o1", "completed", after(minutes=5), amount="250")

    assert book.found(LATER) == set()


def test_order_paid_by_a_charge_that_names_nothing_is_no_finding(book: Book) -> None:
    hold = book.hold(order="o1")
    book.order("o1", "completed", after(minutes=5))
    book.charge(after(minutes=6))
    book.cancel(hold, after(minutes=10))

    assert book.found(LATER) == set()


def test_order_that_never_held_money_is_no_finding(book: Book) -> None:
    book.order("o1", "completed", after(minutes=5), amount="100")

    assert book.found(LATER) == set()


# charged_order_cancelled, refund_exceeds_charge


# hold_ended_twice


# operation_left_planned


# as of any moment


def test_order_rules_say_the_same_in_any_order_of_asking(book: Book) -> None:
    hold = book.hold(order="o1")
    book.order("o1", "completed", after(minutes=5))
    book.cancel(hold, after(minutes=10))
    book.charge(after(days=1), order="o1")
    book.order("o1", "cancelled", after(days=2))
    book.topup(after(days=3), order="o1")
    book.topup(after(days=4), order="o1")
    wanted = {
        after(hours=3): "completed_order_unpaid",
        after(days=1, hours=3): None,
        after(days=2, hours=3): "charged_order_cancelled",
        after(days=3, hours=3): None,
        after(days=4, hours=3): "refund_exceeds_charge",
    }
    for moments in list(permutations(wanted))[::11]:
        book.run("truncate wallet.finding, wallet.finding_evaluation cascade")
        found = {moment: {rule for rule, _ in book.found(moment)} for moment in moments}
        assert found == {moment: {rule} if rule else set() for moment, rule in wanted.items()}


def test_late_rows_change_what_was_found_of_an_order(book: Book) -> None:
    hold = book.hold(order="o1")
    book.order("o1", "completed", after(minutes=5))
    book.cancel(hold, after(minutes=10))
    book.found(LATER)

    book.charge(after(minutes=12), order="o1")

    assert book.found(LATER) == set()
    assert [reason for _, _, reason in book.versions("completed_order_unpaid")] == [
        "opened",
        "closed: no longer so, by a row that arrived late",
    ]


def test_orders_of_two_organizations_with_one_id_are_two(book: Book) -> None:
    for organization in (ORGANIZATION, OTHER_ORGANIZATION):
        hold = book.hold(order="o1", organization=organization)
        book.order("o1", "completed", after(minutes=5), organization=organization)
        book.cancel(hold, after(minutes=10), organization=organization)
    book.reconcile(LATER, ORGANIZATION, OTHER_ORGANIZATION)

    assert book.open_at(LATER) == {
        ("completed_order_unpaid", f"{each}:o1") for each in (ORGANIZATION, OTHER_ORGANIZATION)
    }


def test_order_queue_is_empty_after_reconciliation(book: Book) -> None:
    consumed(book, book.hold(order="o1"))
    book.order("o1", "completed", after(minutes=5))
    assert book.rows("select count(*) > 0 from wallet.touched") == [(True,)]

    book.found(LATER)

    assert book.rows("select count(*) from wallet.touched") == [(0,)]
    assert book.rows("select count(*) from wallet.order_in_doubt") == [(0,)]


def test_order_balance_counts_a_consumption_once(book: Book) -> None:
    hold = book.hold(order="o1")
    consumed(book, hold, source="payment")
    consumed(book, hold, source="import:till")

    assert balance(book) == {
        "held": Decimal(100),
        "consumed": Decimal(100),
        "sources": ["import:till", "payment"],
    }
