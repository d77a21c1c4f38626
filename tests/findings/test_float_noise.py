"""Balances come over the wire as doubles: what is off by a hair is no change."""

from fixtures.books import Book, after


def test_noise_of_doubles_is_no_unexplained_change(book: Book) -> None:
    book.hold(amount="10.00")
    book.charge(after(hours=1), "30.03", order="o1")

    book.look((after(minutes=10), "90.1"), (after(hours=2), repr(90.1 - 30.03)))

    assert repr(90.1 - 30.03) != "60.07"
    assert "unexplained_balance_change" not in book.rules_at(after(hours=3))


def test_cent_beyond_the_noise_is_an_unexplained_change(book: Book) -> None:
    book.hold(amount="10.00")
    book.charge(after(hours=1), "30.03", order="o1")

    book.look((after(minutes=10), "90.1"), (after(hours=2), "60.06"))

    assert "unexplained_balance_change" in book.rules_at(after(hours=3))
