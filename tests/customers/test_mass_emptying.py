"""Answers that come back empty or damaged for many customers at once empty nobody: a person decides, as about a mass deletion."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from customers.test_held_back import as_role, breakers, the_breaker
from fixtures.answers import EMPTY
from fixtures.pulls import Syncing
from syrve.customers.holding import CustomersHeldBack
from syrve_simulator.control import RawAnswer

Answer = dict[str, Any]
GUESTS, FEW, MANY = 60, 20, 30
PROFILES = "select customer_id::text, name, surname, phone from syrve.customer order by 1"
WALLETS = "select customer_id::text, wallet_id::text, balance from syrve.wallet_balance order by 1, 2"
OPEN = "select distinct reason from sync.reject where resolved_at is null"


def id_of(number: int) -> str:
    return f"5f4e0003-0000-4000-8000-{number:012d}"


def whole(number: int) -> Answer:
    wallet = {"id": f"5f4e0004-0000-4000-8000-{number:012d}", "name": "Бонусы", "type": 1, "balance": number}
    card = {"id": f"5f4e0005-0000-4000-8000-{number:012d}", "track": f"77{number:06d}", "number": f"77{number:06d}"}
    return EMPTY | {
        "id": id_of(number),
        "name": "Глафира",
        "surname": "Ильина",
        "phone": f"+7975998{number:04d}",
        "walletBalances": [wallet],
        "cards": [card],
        "categories": [],
    }


def empty(number: int) -> Answer:
    return whole(number) | EMPTY


def anonymized(number: int) -> Answer:
    return empty(number) | {"anonymized": True}


def phone_alone(number: int) -> Answer:
    return empty(number) | {"phone": f"+7975998{number:04d}"}


def unreadable(number: int) -> Answer:
    return whole(number) | {"name": "\ufffd" * 7}


def decoded_twice(number: int) -> Answer:
    return whole(number) | {"surname": "Ильина".encode().decode("cp1251", "replace")}


def with_more(number: int) -> Answer:
    """A profile as most people have it, each with a name of their own."""
    day = f"1990-01-{1 + number % 28:02d} 00:00:00.000"
    return whole(number) | {"name": f"Имя {number}", "birthday": day, "email": f"guest{number}@example.com"}


def of_the_next(number: int) -> Answer:
    """The right id and phone with all that the next person's answer says."""
    return with_more(number + 1) | {key: whole(number)[key] for key in ("id", "phone")}


def renamed(number: int) -> Answer:
    return with_more(number) | {"name": f"Новое {number}", "email": f"new{number}@example.com"}


def without_wallets(number: int) -> Answer:
    return whole(number) | {"walletBalances": []}


def without_cards(number: int) -> Answer:
    return whole(number) | {"cards": []}


def answer(syncing: Syncing, body: Callable[[int], Answer], numbers: range) -> None:
    syncing.simulator.control.put_raw_answers(
        [RawAnswer(syncing.organization_id, id_of(each), json.dumps(body(each)).encode()) for each in numbers]
    )


def pull_again(syncing: Syncing, **changes: Any) -> Any:
    syncing.make_due()
    return syncing.pull(**changes)


@pytest.fixture
def known(syncing: Syncing) -> Syncing:
    """Customers of whom the mirror has a profile, a wallet and a card, looked up by id."""
    answer(syncing, whole, range(GUESTS))
    syncing.add(id=[id_of(each) for each in range(GUESTS)])
    assert syncing.pull().found == GUESTS
    return syncing


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (empty, "emptied"),
        (anonymized, "emptied"),
        (unreadable, "damaged"),
        (decoded_twice, "damaged"),
        (without_wallets, "no_wallets"),
    ],
)
def test_mass_emptying_stops_and_asks(known: Syncing, body: Callable[[int], Answer], shown: str) -> None:
    profiles, wallets = known.rows(PROFILES), known.rows(WALLETS)
    answer(known, body, range(MANY))

    for run in range(3):
        known.make_due()
        if run == 0:
            with pytest.raises(CustomersHeldBack, match="gone or empty"):
                known.pull(batch_size=2 * GUESTS)
        else:
            assert known.pull(batch_size=2 * GUESTS).held_back == MANY

    assert known.rows(PROFILES) == profiles
    assert known.rows(WALLETS) == wallets
    assert known.rows("select answer, count(*) from sync.held_back group by answer") == [(shown, MANY)]
    assert breakers(known) == [("customers_gone", "", None)]
    assert known.rows(OPEN) == []


def profiles_of_more(syncing: Syncing) -> list[Any]:
    return syncing.rows("select customer_id::text, name, birthday, email from syrve.customer order by 1")


@pytest.fixture
def known_well(syncing: Syncing) -> Syncing:
    """Customers of whom the mirror has name, birthday and e-mail."""
    answer(syncing, with_more, range(GUESTS))
    syncing.add(id=[id_of(each) for each in range(GUESTS)])
    assert syncing.pull().found == GUESTS
    return syncing


def test_profiles_of_the_next_person_for_many_are_held_back(known_well: Syncing) -> None:
    profiles = profiles_of_more(known_well)
    answer(known_well, of_the_next, range(MANY))
    known_well.make_due()

    with pytest.raises(CustomersHeldBack, match="another person"):
        known_well.pull(batch_size=2 * GUESTS)

    assert profiles_of_more(known_well) == profiles
    shown = known_well.rows("select answer, count(*) from sync.held_back group by answer")
    assert shown == [("another_person", MANY)]
    assert breakers(known_well) == [("customers_gone", "", None)]


def test_right_profiles_after_wrong_ones_end_the_question(known_well: Syncing) -> None:
    answer(known_well, of_the_next, range(MANY))
    known_well.make_due()
    with pytest.raises(CustomersHeldBack):
        known_well.pull(batch_size=2 * GUESTS)
    answer(known_well, with_more, range(GUESTS))

    assert pull_again(known_well).held_back == 0

    assert breakers(known_well) == [("customers_gone", "", "recovered")]


def test_other_persons_that_a_person_lets_through_land(known_well: Syncing) -> None:
    answer(known_well, of_the_next, range(MANY))
    known_well.make_due()
    with pytest.raises(CustomersHeldBack):
        known_well.pull(batch_size=2 * GUESTS)

    as_role(known_well, "syrve_ops", "select sync.let_through(%s)", the_breaker(known_well))
    counts = known_well.pull()

    assert (counts.changed, counts.held_back) == (MANY, 0)


def test_few_profiles_of_other_persons_are_believed(known_well: Syncing) -> None:
    answer(known_well, of_the_next, range(FEW))

    counts = pull_again(known_well)

    assert (counts.changed, counts.held_back, counts.rejected) == (FEW, 0, 0)


def test_new_names_and_addresses_of_known_birthdays_land(known_well: Syncing) -> None:
    """One of the three that stays says that the person is the same."""
    answer(known_well, renamed, range(MANY))

    counts = pull_again(known_well)

    assert (counts.changed, counts.held_back) == (MANY, 0)


def test_other_persons_of_whom_little_is_known_are_held_back(syncing: Syncing) -> None:
    """No birthday anywhere: name and e-mail are all that tells people apart, and both are others now."""
    answer(syncing, lambda number: with_more(number) | {"birthday": None}, range(GUESTS))
    syncing.add(id=[id_of(each) for each in range(GUESTS)])
    syncing.pull()
    answer(syncing, lambda number: of_the_next(number) | {"birthday": None}, range(MANY))
    syncing.make_due()

    with pytest.raises(CustomersHeldBack):
        syncing.pull(batch_size=2 * GUESTS)


@pytest.mark.parametrize("body", [empty, unreadable, without_wallets])
def test_mass_emptying_lands_when_it_is_let_through(known: Syncing, body: Callable[[int], Answer]) -> None:
    answer(known, body, range(MANY))
    known.make_due()
    with pytest.raises(CustomersHeldBack):
        known.pull(batch_size=2 * GUESTS)

    as_role(known, "syrve_ops", "select sync.let_through(%s)", the_breaker(known))
    counts = known.pull()

    assert (counts.found, counts.changed, counts.held_back, counts.rejected) == (MANY, MANY, 0, 0)
    pull_again(known)
    assert known.value("select count(*) from sync.held_back") == 0


def test_dropped_emptying_is_asked_about_anew(known: Syncing) -> None:
    profiles = known.rows(PROFILES)
    answer(known, empty, range(MANY))
    for _ in range(2):
        known.make_due()
        with pytest.raises(CustomersHeldBack):
            known.pull(batch_size=2 * GUESTS)
        as_role(known, "syrve_ops", "select sync.drop_held_back(%s)", the_breaker(known))

    assert known.rows(PROFILES) == profiles


def test_whole_answers_end_the_question(known: Syncing) -> None:
    answer(known, empty, range(MANY))
    known.make_due()
    with pytest.raises(CustomersHeldBack):
        known.pull(batch_size=2 * GUESTS)
    known.simulator.control.clear_raw_answers()
    answer(known, whole, range(GUESTS))

    assert pull_again(known).held_back == 0

    assert known.value("select count(*) from sync.held_back") == 0
    assert breakers(known) == [("customers_gone", "", "recovered")]


@pytest.mark.parametrize("body", [empty, unreadable])
def test_few_emptied_customers_are_believed_at_the_second_answer(known: Syncing, body: Callable[[int], Answer]) -> None:
    profiles = known.rows(PROFILES)
    answer(known, body, range(FEW))

    assert pull_again(known).rejected == FEW
    assert known.rows(PROFILES) == profiles
    assert pull_again(known).changed == FEW

    assert breakers(known) == []
    assert known.rows(PROFILES) != profiles


def test_phones_of_customers_with_nothing_else_are_counted(syncing: Syncing) -> None:
    """One of them is believed at once; all of them are not."""
    answer(syncing, phone_alone, range(GUESTS))
    syncing.add(id=[id_of(each) for each in range(GUESTS)])
    syncing.pull()
    answer(syncing, empty, range(MANY))
    syncing.make_due()

    with pytest.raises(CustomersHeldBack):
        syncing.pull(batch_size=2 * GUESTS)

    assert syncing.value("select count(phone) from syrve.customer") == GUESTS


def test_text_that_was_damaged_before_takes_no_doubt(syncing: Syncing) -> None:
    """The mirror has what Syrve has, damaged or not: only a change for the worse is doubted."""
    answer(syncing, unreadable, range(1))
    syncing.add(id=[id_of(0)])
    assert syncing.pull().found == 1
    answer(syncing, lambda number: unreadable(number) | {"surname": "Орлова"}, range(1))

    assert pull_again(syncing).changed == 1

    assert syncing.rows("select name, surname from syrve.customer") == [("\ufffd" * 7, "Орлова")]


def test_last_cards_of_many_land_and_are_told_of(known: Syncing) -> None:
    answer(known, without_cards, range(MANY))

    assert pull_again(known).changed == MANY

    assert known.value("select count(*) from syrve.card") == GUESTS - MANY
    assert breakers(known) == [("field_changed", "cards", "landed")]


def test_two_customers_lost_under_one_phone_are_held_back(syncing: Syncing) -> None:
    """Each phone leads to another customer now, who is deleted: one identity, two customers who are gone."""
    phones = [f"+7975998{each:04d}" for each in range(MANY)]
    first = {phone: whole(each) | {"phone": phone} for each, phone in enumerate(phones)}
    second = {phone: whole(100 + each) | {"phone": phone} for each, phone in enumerate(phones)}
    others = {id_of(100 + each): second[phone] | {"phone": None} for each, phone in enumerate(phones)}
    put = syncing.simulator.control.put_raw_answers
    put([RawAnswer(syncing.organization_id, key, json.dumps(each).encode()) for key, each in (first | others).items()])
    syncing.add(phone=phones)
    syncing.add(id=list(others))
    assert syncing.pull().found == 2 * MANY
    before = syncing.rows(PROFILES)
    gone = {phone: each | {"isDeleted": True} for phone, each in second.items()}
    put([RawAnswer(syncing.organization_id, key, json.dumps(each).encode()) for key, each in gone.items()])
    syncing.execute("update sync.roster set due_at = now() where identity_kind = 'phone'")

    with pytest.raises(CustomersHeldBack):
        syncing.pull(batch_size=2 * GUESTS)

    assert syncing.rows(PROFILES) == before
    assert syncing.value("select count(*) from sync.held_back") == MANY
