"""create_or_update: who is found, what changes and what is left alone."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from fixtures.simulator_calls import UNKNOWN_ID


def create(api: Any, organization_id: Any, **fields: Any) -> Any:
    answer = api.loyalty("customer/create_or_update", organization_id, **fields)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"correlationId", "id"}
    return answer.json()["id"]


def test_unknown_phone_creates_a_customer_who_can_then_be_looked_up(api: Any, organization_id: Any) -> None:
    customer_id = create(
        api,
        organization_id,
        phone="+79991110001",
        name="Алма",
        sex="Female",
        birthday="1990-05-15",
        email="a@example.com",
    )

    customer = api.info(organization_id, phone="+79991110001").json()

    assert UUID(customer_id)
    assert customer["id"] == customer_id
    assert (customer["name"], customer["sex"], customer["birthday"]) == ("Алма", "Female", "1990-05-15")
    assert customer["surname"] is None
    assert [one["balance"] for one in customer["walletBalances"]] == [0]
    assert [one["isDefaultForNewGuests"] for one in customer["categories"]] == [True]


def test_known_phone_updates_the_same_customer(api: Any, organization_id: Any) -> None:
    first = create(api, organization_id, phone="+79991110002", name="Bruno")

    assert create(api, organization_id, phone="79991110002", surname="Corvwell") == first
    customer = api.info(organization_id, id=first).json()
    assert (customer["name"], customer["surname"], customer["phone"]) == ("Bruno", "Corvwell", "+79991110002")


def test_card_track_creates_and_finds_a_customer_without_a_phone(api: Any, organization_id: Any) -> None:
    first = create(api, organization_id, cardTrack="TRACK-3", cardNumber="N-3", name="Clara")

    assert create(api, organization_id, cardTrack="TRACK-3", cardNumber="N-3", surname="Dellby") == first
    customer = api.info(organization_id, cardTrack="TRACK-3").json()
    assert customer["phone"] is None
    assert [(card["track"], card["number"]) for card in customer["cards"]] == [("TRACK-3", "N-3")]


def test_id_goes_before_phone(api: Any, organization_id: Any) -> None:
    first = create(api, organization_id, phone="+79991110004")

    assert create(api, organization_id, id=first, phone="+79991110005") == first
    assert api.info(organization_id, phone="+79991110005").json()["id"] == first
    assert api.info(organization_id, phone="+79991110004").status_code == 400


def test_unknown_id_is_refused_and_creates_nobody(api: Any, simulator: Any, organization_id: Any) -> None:
    before = simulator.control.organizations()

    answer = api.loyalty("customer/create_or_update", organization_id, id=UNKNOWN_ID, phone="+79991110006")

    assert answer.status_code == 400
    assert answer.json()["code"] == "Transport_WrongCustomerId"
    assert simulator.control.organizations() == before


def test_empty_null_and_absent_fields_are_left_alone(api: Any, organization_id: Any) -> None:
    customer_id = create(api, organization_id, phone="+79991110007", name="Dario", email="d@example.org", sex="Male")
    before = api.info(organization_id, id=customer_id).content

    create(api, organization_id, id=customer_id, name="", email=None, sex="", phone="")

    assert api.info(organization_id, id=customer_id).content == before


def test_flags_and_consent_are_stored(api: Any, organization_id: Any) -> None:
    customer_id = create(
        api,
        organization_id,
        phone="+79991110008",
        shouldReceiveOrderStatusNotifications=False,
        shouldReceivePromoActionsInfo=False,
        personalDataProcessingConsentFrom="2024-01-02T03:04:05",
    )

    customer = api.info(organization_id, id=customer_id).json()

    assert customer["shouldReceiveOrderStatusNotifications"] is False
    assert customer["shouldReceivePromoActionsInfo"] is False
    assert customer["personalDataProcessingConsentFrom"] == "2024-01-02T03:04:05"


def test_customer_of_the_population_changes_in_one_field_only(api: Any, simulator: Any, organization_id: Any) -> None:
    state = simulator.control.customers_page(organization_id, offset=10, limit=1)[0]
    before = api.info(organization_id, id=state["customer_id"]).json()

    create(api, organization_id, id=state["customer_id"], middleName="Lee-New")

    assert api.info(organization_id, phone=state["phone"]).json() == before | {"middleName": "Lee-New"}


def test_change_in_one_organization_is_not_seen_in_another(api: Any, simulator: Any) -> None:
    first, second = (one["organization_id"] for one in simulator.control.organizations())
    in_second = {one["customer_id"] for one in simulator.control.customers(second)}
    both = next(one for one in simulator.control.customers(first) if one["customer_id"] in in_second)
    there = api.info(second, id=both["customer_id"]).content

    create(api, first, id=both["customer_id"], name="Only-Here")

    assert api.info(first, id=both["customer_id"]).json()["name"] == "Only-Here"
    assert api.info(second, id=both["customer_id"]).content == there


def test_phone_of_someone_else_is_refused_and_changes_nothing(api: Any, organization_id: Any) -> None:
    create(api, organization_id, phone="+79991110010")
    customer_id = create(api, organization_id, phone="+79991110011", name="Emil")
    before = api.info(organization_id, id=customer_id).content

    answer = api.loyalty(
        "customer/create_or_update", organization_id, id=customer_id, phone="+79991110010", name="Felix"
    )

    assert answer.status_code == 400
    assert api.info(organization_id, id=customer_id).content == before


@pytest.mark.parametrize(
    "fields",
    [
        {"sex": "male"},
        {"sex": 1},
        {"birthday": "1990-02-30"},
        {"name": 5},
        {"shouldReceivePromoActionsInfo": "yes"},
        {"referrerId": "not-a-uuid"},
        {"personalDataProcessingConsentFrom": "yesterday"},
        {"cardTrack": 7},
    ],
)
def test_field_that_cannot_be_read_is_400_and_named(api: Any, organization_id: Any, fields: Any) -> None:
    answer = api.loyalty("customer/create_or_update", organization_id, phone="+79991110012", **fields)

    assert answer.status_code == 400
    assert next(iter(fields)) in answer.json()["errorDescription"]
    assert api.info(organization_id, phone="+79991110012").status_code == 400


@pytest.mark.parametrize("fields", [{}, {"name": "Nobody"}, {"id": "", "phone": "", "cardTrack": ""}])
def test_call_that_says_nobody_is_400(api: Any, organization_id: Any, fields: Any) -> None:
    assert api.loyalty("customer/create_or_update", organization_id, **fields).status_code == 400


@pytest.mark.parametrize("balance", ["0.1", "0.30", "123456789012345678.9012", "-5.5", "0", "1000"])
def test_balance_is_answered_with_exactly_its_digits(
    api: Any, simulator: Any, organization_id: Any, balance: Any
) -> None:
    state = simulator.control.customers_page(organization_id, offset=20, limit=1)[0]
    wallet_id = state["wallets"][0]["id"]

    simulator.control.change_customer(organization_id, state["customer_id"], balances={wallet_id: balance})

    body = api.info(organization_id, id=state["customer_id"]).content.decode()
    assert f'"balance":{balance}}}' in body
    assert Decimal(
        simulator.control.customers_page(organization_id, offset=20, limit=1)[0]["wallets"][0]["balance"]
    ) == (Decimal(balance))
