"""Customers, cards, categories and programmes through a stranger's client, field by field."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from iikocloudapi import BadRequest
from iikocloudapi.models.loyalty import (
    GetCustomerInfoByCardNumberRequest,
    GetCustomerInfoByCardTrackRequest,
    GetCustomerInfoByEmailRequest,
    GetCustomerInfoByIdRequest,
    GetCustomerInfoByPhoneRequest,
    IikoNetUserSex,
    PersonalDataConsentStatus,
)

UNKNOWN_ID = "11111111-2222-4333-8444-555555555555"


async def look_up(stranger: Any, request: Any) -> Any:
    return stranger.faithful(await stranger.iiko.loyalty.customer.info(body=request))


async def by_id(stranger: Any, organization_id: Any, customer_id: Any) -> Any:
    return await look_up(stranger, GetCustomerInfoByIdRequest(organization_id=organization_id, id=customer_id))


async def create(stranger: Any, organization_id: Any, **fields: Any) -> Any:
    create_or_update = stranger.iiko.loyalty.customer.create_or_update
    answer = stranger.faithful(await create_or_update(organization_id=organization_id, **fields))
    return answer.id


async def test_everybody_is_read_by_phone_to_the_last_field(stranger: Any, service: Any, organization_id: Any) -> None:
    for state in service.control.customers(organization_id):
        request = GetCustomerInfoByPhoneRequest(organization_id=organization_id, phone=state["phone"])
        customer = await look_up(stranger, request)
        assert customer.id == state["customer_id"]
        assert {one.id: one.balance for one in customer.wallet_balances} == {
            one["id"]: Decimal(one["balance"]) for one in state["wallets"]
        }


async def test_comparison_notices_a_field_that_the_api_description_does_not_know(
    stranger: Any, service: Any, organization_id: Any
) -> None:
    customer_id = await create(stranger, organization_id, phone="+79996000000")
    service.control.change_customer(organization_id, customer_id, fields={"futureField": 1})

    with pytest.raises(AssertionError, match="futureField"):
        await by_id(stranger, organization_id, customer_id)
    service.control.remove_customer(organization_id, customer_id)


async def test_every_kind_of_lookup_finds_the_same_customer(stranger: Any, service: Any, organization_id: Any) -> None:
    customers = [
        await by_id(stranger, organization_id, state["customer_id"])
        for state in service.control.customers(organization_id)
    ]
    customer = next(one for one in customers if one.cards and one.email)
    (card, *_) = customer.cards

    for request in (
        GetCustomerInfoByPhoneRequest(organization_id=organization_id, phone=customer.phone),
        GetCustomerInfoByEmailRequest(organization_id=organization_id, email=customer.email),
        GetCustomerInfoByCardTrackRequest(organization_id=organization_id, card_track=card.track),
        GetCustomerInfoByCardNumberRequest(organization_id=organization_id, card_number=card.number),
    ):
        assert await look_up(stranger, request) == customer


async def test_not_found_is_a_bad_request_with_the_text_of_the_service(stranger: Any, organization_id: Any) -> None:
    with pytest.raises(BadRequest, match="There is no user with phone") as refusal:
        await look_up(stranger, GetCustomerInfoByPhoneRequest(organization_id=organization_id, phone="+79990000000"))

    assert stranger.answers[-1][1]["errorCode"] == "Validation_IncorrectPhone"
    assert refusal.value.status_code == 400


async def test_what_is_created_comes_back_as_it_was_sent(stranger: Any, organization_id: Any) -> None:
    customer_id = await create(
        stranger,
        organization_id,
        phone="+79996000001",
        card_track="CT1",
        card_number="CN1",
        name="Алма",
        middle_name="Lee",
        sur_name="Ветрова",
        birthday=datetime(1990, 5, 15),  # noqa: DTZ001 - a day has no zone
        email="alma@example.com",
        sex=IikoNetUserSex.FEMALE,
        consent_status=PersonalDataConsentStatus.GIVEN,
        should_receive_promo_actions_info=False,
        user_data="{}",
        comment="window",
    )

    customer = await by_id(stranger, organization_id, customer_id)

    assert (customer.name, customer.middle_name, customer.surname) == ("Алма", "Lee", "Ветрова")
    assert (customer.phone, customer.email) == ("+79996000001", "alma@example.com")
    assert customer.birthday == datetime(1990, 5, 15)  # noqa: DTZ001
    assert (customer.sex, customer.consent_status) == (IikoNetUserSex.FEMALE, PersonalDataConsentStatus.GIVEN)
    assert (customer.should_receive_promo_actions_info, customer.should_receive_loyalty_info) == (False, True)
    assert (customer.user_data, customer.comment) == ("{}", "window")
    assert [(one.track, one.number) for one in customer.cards] == [("CT1", "CN1")]
    assert (customer.is_deleted, customer.anonymized) == (False, False)


async def test_update_changes_what_is_given_and_can_clear_a_field(stranger: Any, organization_id: Any) -> None:
    customer_id = await create(
        stranger, organization_id, phone="+79996000002", name="Bruno", comment="old", user_data="kept"
    )

    assert await create(stranger, organization_id, phone="+79996000002", name="Milo") == customer_id
    await create(stranger, organization_id, id=customer_id, comment="", nullify_empty_fields=True)

    customer = await by_id(stranger, organization_id, customer_id)
    assert (customer.name, customer.comment, customer.user_data) == ("Milo", None, "kept")


async def test_unknown_id_cannot_be_updated(stranger: Any, organization_id: Any) -> None:
    with pytest.raises(BadRequest, match="There is no user with id"):
        await create(stranger, organization_id, id=UNKNOWN_ID, name="Nobody")


async def test_deleted_customer_is_marked_until_restored(stranger: Any, organization_id: Any) -> None:
    loyalty = stranger.iiko.loyalty
    customer_id = await create(stranger, organization_id, phone="+79996000003")
    ids = [customer_id, UNKNOWN_ID]

    deleted = stranger.faithful(await loyalty.delete_customers(organization_id=organization_id, customer_ids=ids))
    after_delete = await by_id(stranger, organization_id, customer_id)
    restored = stranger.faithful(await loyalty.restore_customers(organization_id=organization_id, customer_ids=ids))
    after_restore = await by_id(stranger, organization_id, customer_id)

    assert (deleted.total, deleted.deleted, deleted.not_found) == (2, 1, 1)
    assert (restored.total, restored.restored, restored.not_found) == (2, 1, 1)
    assert (after_delete.is_deleted, after_restore.is_deleted) == (True, False)


async def test_card_is_added_and_removed(stranger: Any, organization_id: Any) -> None:
    card = stranger.iiko.loyalty.customer.card
    customer_id = await create(stranger, organization_id, phone="+79996000004")
    whose = {"organization_id": organization_id, "customer_id": customer_id}

    stranger.faithful(await card.add(**whose, card_track="CT4", card_number="CN4"))
    added = await by_id(stranger, organization_id, customer_id)
    stranger.faithful(await card.remove(**whose, card_track="CT4"))
    removed = await by_id(stranger, organization_id, customer_id)

    assert [(one.track, one.number, one.valid_to_date) for one in added.cards] == [("CT4", "CN4", None)]
    assert removed.cards == []
    with pytest.raises(BadRequest):
        await card.remove(**whose, card_track="CT4")


async def test_categories_are_listed_added_and_removed(stranger: Any, organization_id: Any) -> None:
    categories = stranger.iiko.loyalty.customer_category
    customer_id = await create(stranger, organization_id, phone="+79996000005")
    listed = stranger.faithful(await categories(organization_id=organization_id)).guest_categories
    (default,) = [one for one in listed if one.is_default_for_new_guests]
    vip = next(one for one in listed if not one.is_default_for_new_guests)
    whose = {"organization_id": organization_id, "customer_id": customer_id}

    stranger.faithful(await categories.add(**whose, category_id=vip.id))
    added = await by_id(stranger, organization_id, customer_id)
    stranger.faithful(await categories.remove(**whose, category_id=default.id))
    removed = await by_id(stranger, organization_id, customer_id)

    assert added.categories == [default, vip]
    assert removed.categories == [vip]


async def test_programmes_are_listed_and_joined(stranger: Any, organization_id: Any) -> None:
    loyalty = stranger.iiko.loyalty
    customer_id = await create(stranger, organization_id, phone="+79996000006")
    bonus, deposit = stranger.faithful(await loyalty.program(organization_id=organization_id)).programs
    bare = stranger.faithful(
        await loyalty.program(organization_id=organization_id, without_marketing_campaigns=True)
    ).programs

    joined = stranger.faithful(
        await loyalty.customer.program.add(
            organization_id=organization_id, customer_id=customer_id, program_id=deposit.id
        )
    )

    assert (len(bonus.marketing_campaigns), len(bare[0].marketing_campaigns)) == (1, 0)
    assert joined.wallet_id == deposit.wallet_id
    wallets = (await by_id(stranger, organization_id, customer_id)).wallet_balances
    assert [(one.type, one.balance) for one in wallets if one.id == joined.user_wallet_id] == [
        (deposit.program_type, 0)
    ]
