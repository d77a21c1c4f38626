"""The population: decided by the seed, computed both ways, plausible and nobody's."""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syrve_simulator.population import Population
from syrve_simulator.population.identity import CARDS_PER_CUSTOMER, Draw, Identities
from syrve_simulator.wire.reference import encode_customer

seeds = st.integers(min_value=-(2**70), max_value=2**70)


def everybody(population: Any) -> Any:
    return [
        population.customer(ordinal, organization)
        for organization in population.organizations
        for ordinal in population.members(organization, 0, population.customers)
    ]


POPULATION_OF_ONE = Population(seed=7, customers=1, organizations=1)
(ONLY_CUSTOMER,) = everybody(POPULATION_OF_ONE)


@pytest.fixture(scope="module")
def customers() -> Any:
    return everybody(Population(seed=7, customers=1000, organizations=2))


def test_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    def answers(seed: Any) -> Any:
        return [encode_customer(one) for one in everybody(Population(seed=seed, customers=100, organizations=2))]

    assert answers(7) == answers(7)
    assert not set(answers(7)) & set(answers(8))


def test_bytes_of_a_seed_stay_the_same_from_version_to_version() -> None:
    population = Population(seed=7, customers=2000, organizations=2)

    customer = population.customer(0, population.organizations[0])

    assert customer.customer_id == "7165074b-9a52-4945-84fb-381f7d9c2f09"
    assert customer.phone == "+79759418759"


def test_more_customers_leave_those_before_them_as_they_were() -> None:
    few, many = (Population(seed=7, customers=count, organizations=2) for count in (10, 1000))

    assert everybody(few) == [
        many.customer(ordinal, organization)
        for organization in many.organizations
        for ordinal in few.members(organization, 0, 10)
    ]


@given(
    seed=seeds,
    customers=st.integers(1, 5_000_000),
    organizations=st.integers(1, 100),
    data=st.data(),
)
@settings(max_examples=100, deadline=None)
def test_every_identity_leads_back_to_its_customer(seed: Any, customers: Any, organizations: Any, data: Any) -> None:
    population = Population(seed=seed, customers=customers, organizations=organizations)
    ordinal = data.draw(st.integers(0, customers - 1))
    homes = [one for one in population.organizations if population.lives_in(ordinal, one)]

    assert len(homes) in ({1} if organizations == 1 else {1, 2})
    for home in homes:
        for kind, value in population.customer(ordinal, home).identities():
            assert population.ordinal(kind, value) == ordinal


@given(seed=seeds, customers=st.integers(0, 300), organizations=st.integers(1, 5), limit=st.integers(1, 50))
@settings(max_examples=50, deadline=None)
def test_pages_list_exactly_those_who_live_there(seed: Any, customers: Any, organizations: Any, limit: Any) -> None:
    population = Population(seed=seed, customers=customers, organizations=organizations)
    for organization in population.organizations:
        count = population.member_count(organization)
        listed = [
            ordinal for offset in range(0, count, limit) for ordinal in population.members(organization, offset, limit)
        ]
        assert len(listed) == len(set(listed)) == count
        assert set(listed) == {one for one in range(customers) if population.lives_in(one, organization)}


@given(text=st.text(max_size=40) | st.from_regex(r"\+7975\d{7}", fullmatch=True) | st.uuids().map(str))
@settings(deadline=None)
def test_identity_of_nobody_leads_to_nobody(text: Any) -> None:
    for kind in ("phone", "id", "card"):
        if (kind, text) not in ONLY_CUSTOMER.identities():
            assert POPULATION_OF_ONE.ordinal(kind, text) is None


def test_card_that_a_customer_does_not_have_and_id_that_was_tampered_with_lead_to_nobody() -> None:
    population = Population(seed=7, customers=100, organizations=1)
    identities = Identities(Draw(7), 100, 1)

    for ordinal, customer in enumerate(everybody(population)):
        for slot in range(len(customer.cards), CARDS_PER_CUSTOMER):
            assert population.ordinal("card", identities.track(ordinal, slot)) is None
        assert population.ordinal("id", "00000000" + customer.customer_id[8:]) is None


def test_phones_are_valid_unique_and_in_one_unserved_range(customers: Any) -> None:
    phones = {one.phone for one in customers}

    assert len(phones) == 1000
    for phone in phones:
        assert phone.startswith("+7975")
        number = phonenumbers.parse(phone)
        assert phonenumbers.is_valid_number(number)
        assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == phone


def test_mail_goes_nowhere(customers: Any) -> None:
    assert {(one.email or "@none").rpartition("@")[2] for one in customers} == {"example.com", "example.org", "none"}


def test_population_has_every_kind_of_customer(customers: Any) -> None:
    assert {one.sex for one in customers} == {"male", "female", "not_specified"}
    assert {len(one.wallets) for one in customers} == {1, 2, 3}
    assert {len(one.cards) for one in customers} == {0, 1, 2}
    assert {len(one.categories) for one in customers} == {0, 1, 2, 3}
    assert {wallet.type for one in customers for wallet in one.wallets} == {0, 1, 2, 3, 4}
    assert {card.valid_to is None for one in customers for card in one.cards} == {True, False}
    for attribute in (
        "name",
        "surname",
        "middle_name",
        "email",
        "birthday",
        "referrer_id",
        "program_id",
        "consent_from",
        "consent_to",
    ):
        assert {getattr(one, attribute) is None for one in customers} == {True, False}, attribute
    surnames = [one.surname for one in customers if one.surname]
    assert any(surname.isascii() for surname in surnames)
    assert any("а" <= surname[-1] <= "я" for surname in surnames)


def test_balances_are_exact_decimals_some_of_them_zero(customers: Any) -> None:
    balances = [wallet.balance for one in customers for wallet in one.wallets]

    assert all(isinstance(balance, Decimal) and balance >= 0 for balance in balances)
    assert any(balance == 0 for balance in balances)
    assert {-balance.as_tuple().exponent for balance in balances} == {0, 1, 2, 3, 4}


def test_about_one_in_fifty_lives_in_two_organizations() -> None:
    population = Population(seed=7, customers=10_000, organizations=3)

    assert sum(population.member_count(one) for one in population.organizations) == 10_000 + 200


def test_answers_are_about_as_long_as_the_real_ones(customers: Any) -> None:
    lengths = [len(encode_customer(one)) for one in customers]

    assert 1000 < sum(lengths) / len(lengths) < 1400


def test_times_are_iso_dates(customers: Any) -> None:
    for one in customers:
        answer = json.loads(encode_customer(one))
        for field in ("personalDataProcessingConsentFrom", "personalDataProcessingConsentTo"):
            assert answer[field] is None or datetime.fromisoformat(answer[field]).tzinfo is None
        assert answer["birthday"] is None or 1940 <= date.fromisoformat(answer["birthday"]).year <= 2007
        assert all(card["validToDate"] is None or date.fromisoformat(card["validToDate"]) for card in answer["cards"])
