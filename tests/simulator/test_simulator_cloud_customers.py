"""Customers of the cloud dialect: look-ups, creation and change, deletion, and the switches about them."""

import base64
import json
import time
from typing import Any

import pytest

from fixtures.simulator_calls import TIME, UNKNOWN_ID, info, look_up, write
from syrve_simulator.control import SimulatorRefusedError
from syrve_simulator.options import Options

NULLABLE_TEXTS = {"name", "surname", "middleName", "comment", "phone", "cultureName", "email", "userData"}
NULLABLE_IDS = {"referrerId", "lastVisitedOrganizationId", "registrationOrganizationId"}
NULLABLE_TIMES = {
    "birthday", "personalDataConsentFrom", "personalDataConsentTo", "personalDataProcessingFrom", "personalDataProcessingTo",
    "lastProcessedOrderDate", "firstOrderDate",
}  # fmt: skip
NULLABLE_FLAGS = {"shouldReceivePromoActionsInfo", "shouldReceiveLoyaltyInfo", "shouldReceiveOrderStatusInfo"}
FIELDS = (
    NULLABLE_TEXTS | NULLABLE_IDS | NULLABLE_TIMES | NULLABLE_FLAGS
    | {"id", "sex", "consentStatus", "anonymized", "isDeleted", "whenRegistered", "cards", "categories", "walletBalances"}
)  # fmt: skip


def application(**changes: Any) -> Any:
    settings = Options()
    known = {"apiKey": settings.api_key, "appId": settings.app_id, "clientSecret": settings.client_secret}
    return known | changes


def ask_for_token(cloud_api: Any, body: Any) -> Any:
    return cloud_api.post("../v2/access_token", body)


def test_v2_token_is_a_jwt_that_says_when_it_expires_and_works(cloud: Any, cloud_api: Any) -> None:
    cloud.control.set_switches(token_lifetime_seconds=100)

    answer = ask_for_token(cloud_api, application())

    assert set(answer.json()) == {"correlationId", "token"}
    cloud_api.token = answer.json()["token"]
    claims = cloud_api.token.split(".")[1]
    expires_at = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
    assert 0 <= time.time() + 100 - expires_at < 30
    assert cloud_api.post("organizations", {}).status_code == 200
    cloud.control.expire_tokens()
    assert cloud_api.post("organizations", {}).status_code == 401


@pytest.mark.parametrize("field", ["apiKey", "appId", "clientSecret"])
def test_v2_token_needs_key_application_and_secret(cloud_api: Any, field: Any) -> None:
    wrong = ask_for_token(cloud_api, application(**{field: "wrong"}))
    missing = ask_for_token(cloud_api, application(**{field: None}))

    assert wrong.status_code == 401
    assert wrong.json()["errorDescription"].endswith("is not authorized")
    assert missing.status_code == 400
    assert field in missing.json()["errorDescription"]


def test_customer_has_exactly_the_fields_of_the_live_service(cloud: Any, cloud_api: Any, organization_id: Any) -> None:
    seen: dict[str, set[bool]] = {field: set() for field in FIELDS}
    for state in cloud.control.customers_page(organization_id, limit=80):
        customer = info(cloud_api, organization_id, state["customer_id"])
        assert set(customer) == FIELDS
        for field in NULLABLE_TEXTS | NULLABLE_IDS | NULLABLE_TIMES | NULLABLE_FLAGS:
            seen[field].add(customer[field] is None)
        for field in NULLABLE_TIMES | {"whenRegistered"}:
            assert customer[field] is None or TIME.fullmatch(customer[field])
        assert customer["sex"] in {0, 1, 2}
        assert customer["consentStatus"] in {0, 1, 2}
        assert (customer["isDeleted"], customer["anonymized"]) == (False, False)
        assert all(TIME.fullmatch(one["validToDate"]) for one in customer["cards"] if one["validToDate"])

    always_there = {
        "phone",
        "registrationOrganizationId",
        "shouldReceivePromoActionsInfo",
        "shouldReceiveOrderStatusInfo",
    }
    often_null = (NULLABLE_TEXTS | NULLABLE_IDS | NULLABLE_TIMES | NULLABLE_FLAGS) - always_there
    assert [field for field in often_null if seen[field] != {True, False}] == []


def test_each_of_the_five_types_finds_the_same_customer(cloud: Any, cloud_api: Any, organization_id: Any) -> None:
    for state in cloud.control.customers_page(organization_id, limit=60):
        by_id = look_up(cloud_api, organization_id, "id", state["customer_id"]).content
        customer = json.loads(by_id)
        asked = [("phone", customer["phone"])]
        asked += [("email", customer["email"].upper())] if customer["email"] else []
        for card in customer["cards"]:
            asked += [("cardTrack", card["track"]), ("cardNumber", card["number"])]
        for kind, value in asked:
            assert look_up(cloud_api, organization_id, kind, value).content == by_id, kind


@pytest.mark.parametrize(
    ("kind", "value", "error_code"),
    [
        ("phone", "+79990000000", "Validation_IncorrectPhone"),
        ("id", UNKNOWN_ID, "Customer_CustomerNotFound"),
        ("cardTrack", "0000000001", "Card_CanNotFindByTrack"),
        ("cardNumber", "none", "Card_CanNotFindByNumber"),
        ("email", "nobody@example.com", "Customer_CustomerNotFound"),
        ("email", "guest-0000001-999@example.net", "Customer_CustomerNotFound"),
    ],
)
def test_nobody_with_that_identity_is_400(
    cloud: Any, cloud_api: Any, organization_id: Any, kind: Any, value: Any, error_code: Any
) -> None:
    answer = look_up(cloud_api, organization_id, kind, value)

    assert answer.status_code == 400
    assert answer.json()["errorCode"] == error_code
    assert answer.json()["message"].startswith("There is no user with ")
    assert [one["value"] for one in cloud.control.lookups()] == [value]


def test_card_type_of_the_reference_document_is_not_known(cloud_api: Any, organization_id: Any) -> None:
    assert look_up(cloud_api, organization_id, "card", "1", "cardTrack").status_code == 400


def test_changed_email_leads_to_the_customer_and_the_former_to_nobody(
    cloud: Any, cloud_api: Any, organization_id: Any
) -> None:
    customers = (
        info(cloud_api, organization_id, one["customer_id"]) for one in cloud.control.customers(organization_id)
    )
    customer = next(one for one in customers if one["email"])

    write(cloud_api, organization_id, id=customer["id"], email="moved@example.org")

    assert look_up(cloud_api, organization_id, "email", "moved@example.org").json()["id"] == customer["id"]
    assert look_up(cloud_api, organization_id, "email", customer["email"]).status_code == 400


def test_email_of_several_customers_finds_the_one_known_longest(
    cloud_api: Any, organization_id: Any, new_cloud_customer: Any
) -> None:
    first, second = (new_cloud_customer(email="shared@example.org")["customer_id"] for _ in range(2))

    assert look_up(cloud_api, organization_id, "email", "shared@example.org").json()["id"] == first
    write(cloud_api, organization_id, id=first, email="own@example.org")
    assert look_up(cloud_api, organization_id, "email", "shared@example.org").json()["id"] == second


def test_created_customer_stays_unknown_to_lookups_for_the_time_of_the_switch(
    cloud: Any, cloud_api: Any, organization_id: Any, wait_for: Any
) -> None:
    cloud.control.set_switches(new_customer_unknown_seconds=0.4)
    customer_id = write(cloud_api, organization_id, phone="+79995000005")

    by_id = look_up(cloud_api, organization_id, "id", customer_id)
    assert (by_id.status_code, by_id.json()["code"]) == (400, "Transport_WrongCustomerId")
    assert write(cloud_api, organization_id, phone="+79995000005", name="Same") == customer_id
    wait_for(lambda: look_up(cloud_api, organization_id, "id", customer_id).status_code == 200)
    assert look_up(cloud_api, organization_id, "phone", "+79995000005").json()["name"] == "Same"


def test_deleted_customer_is_marked_and_restored(cloud_api: Any, organization_id: Any, new_cloud_customer: Any) -> None:
    customer_id = new_cloud_customer()["customer_id"]

    deleted = cloud_api.loyalty("delete_customers", organization_id, customerIds=[customer_id, UNKNOWN_ID]).json()

    assert deleted == {"total": 2, "deleted": 1, "notFound": 1}
    assert info(cloud_api, organization_id, customer_id)["isDeleted"] is True
    restored = cloud_api.loyalty("restore_customers", organization_id, customerIds=[customer_id, UNKNOWN_ID]).json()
    assert restored == {"total": 2, "restored": 1, "notFound": 1}
    assert info(cloud_api, organization_id, customer_id)["isDeleted"] is False


def test_deleted_customer_can_be_not_found(
    cloud: Any, cloud_api: Any, organization_id: Any, new_cloud_customer: Any
) -> None:
    state = new_cloud_customer("10")
    cloud_api.loyalty("delete_customers", organization_id, customerIds=[state["customer_id"]])
    cloud.control.set_switches(deleted_customer="error")

    assert look_up(cloud_api, organization_id, "phone", state["phone"]).status_code == 400
    refused = cloud_api.money("topup", organization_id, state, 1)
    assert refused.json()["errorCode"] == "Customer_CustomerNotFound"
    cloud_api.loyalty("restore_customers", organization_id, customerIds=[state["customer_id"]])
    assert look_up(cloud_api, organization_id, "phone", state["phone"]).status_code == 200


@pytest.mark.parametrize("path", ["delete_customers", "restore_customers"])
def test_unknown_customer_among_many_can_refuse_the_call(
    cloud: Any, cloud_api: Any, organization_id: Any, new_cloud_customer: Any, path: Any
) -> None:
    state = new_cloud_customer()
    cloud.control.set_switches(delete_unknown="error")

    answer = cloud_api.loyalty(path, organization_id, customerIds=[state["customer_id"], UNKNOWN_ID])

    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "Customer_CustomerNotFound"
    assert info(cloud_api, organization_id, state["customer_id"])["isDeleted"] is False
    assert cloud_api.loyalty(path, organization_id, customerIds=[]).status_code == 400


def test_customer_of_the_control_path_is_answered_as_given(cloud: Any, cloud_api: Any, organization_id: Any) -> None:
    given = {
        "id": "bbbbbbbb-0000-4000-8000-000000000001", "phone": "+79995000006", "sex": 1, "consentStatus": 2, "isDeleted": False,
        "anonymized": True, "birthday": "1980-01-02 00:00:00.000", "whenRegistered": "2020-01-02 03:04:05.678",
        "cards": [{"id": UNKNOWN_ID, "track": "C6", "number": "6", "validToDate": "2030-01-01 00:00:00.000"}],
        "walletBalances": [{"id": UNKNOWN_ID, "name": "Bonus", "type": 1, "balance": 12.5}],
    }  # fmt: skip

    cloud.control.add_customer(organization_id, given | {"futureField": 1})

    customer = info(cloud_api, organization_id, given["id"])
    assert {field: customer[field] for field in given} == given
    assert customer["futureField"] == 1
    with pytest.raises(SimulatorRefusedError, match="sex"):
        cloud.control.change_customer(organization_id, given["id"], fields={"sex": None})
