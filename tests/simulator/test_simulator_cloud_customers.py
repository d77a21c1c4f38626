"""Customers of the cloud dialect: look-ups, creation and change, deletion, and the switches about them."""

import base64
import json
import re
import time
from typing import Any

import pytest

from syrve_simulator.control import SimulatorRefusedError
from syrve_simulator.settings import Settings

UNKNOWN_ID = "11111111-2222-4333-8444-555555555555"
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")
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


def look_up(api: Any, organization_id: Any, kind: Any, value: Any, field: Any = None) -> Any:
    return api.loyalty("customer/info", organization_id, type=kind, **{field or kind: value})


def info(api: Any, organization_id: Any, customer_id: Any) -> Any:
    answer = look_up(api, organization_id, "id", customer_id)
    assert answer.status_code == 200, answer.text
    return answer.json()


def write(api: Any, organization_id: Any, **fields: Any) -> Any:
    answer = api.loyalty("customer/create_or_update", organization_id, **fields)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"id"}
    return answer.json()["id"]


def application(**changes: Any) -> Any:
    settings = Settings()
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


def test_every_field_that_can_be_written_can_be_read_again(cloud_api: Any, organization_id: Any) -> None:
    referrer_id = write(cloud_api, organization_id, phone="+79995000001")
    written = {
        "name": "Алма", "middleName": "Lee", "birthday": "1990-05-15 00:00:00.000", "email": "a5@example.com", "sex": 2,
        "consentStatus": 1, "shouldReceiveLoyaltyInfo": False, "shouldReceivePromoActionsInfo": False,
        "referrerId": referrer_id, "userData": "{}", "comment": "window",
    }  # fmt: skip

    customer_id = write(
        cloud_api, organization_id, phone="79995000002", surName="Ветрова", cardTrack="T5", cardNumber="N5",
        employeeId="7", **written,
    )  # fmt: skip

    customer = info(cloud_api, organization_id, customer_id)
    assert {field: customer[field] for field in written} == written
    assert (customer["surname"], customer["phone"]) == ("Ветрова", "+79995000002")
    assert [(one["track"], one["number"]) for one in customer["cards"]] == [("T5", "N5")]
    assert customer["registrationOrganizationId"] == organization_id
    assert TIME.fullmatch(customer["whenRegistered"])


def test_new_customer_starts_with_flags_on_and_unknown_consent(
    cloud_api: Any, organization_id: Any, new_cloud_customer: Any
) -> None:
    customer = info(cloud_api, organization_id, new_cloud_customer()["customer_id"])

    assert customer["shouldReceiveLoyaltyInfo"] is True
    assert customer["shouldReceivePromoActionsInfo"] is True
    assert (customer["sex"], customer["consentStatus"]) == (0, 0)


def test_unknown_id_is_refused_and_creates_nobody(cloud: Any, cloud_api: Any, organization_id: Any) -> None:
    before = cloud.control.organizations()

    answer = cloud_api.loyalty("customer/create_or_update", organization_id, id=UNKNOWN_ID, phone="+79995000003")

    assert answer.status_code == 400
    assert answer.json()["code"] == "Transport_WrongCustomerId"
    assert cloud.control.organizations() == before


def test_empty_text_is_ignored_unless_empty_fields_are_to_be_cleared(
    cloud_api: Any, organization_id: Any, new_cloud_customer: Any
) -> None:
    values = {"name": "Alma", "surName": "Dellby", "email": "x5@example.org", "birthday": "1990-05-15 00:00:00.000"}
    customer_id = new_cloud_customer(comment="stays", **values)["customer_id"]
    before = info(cloud_api, organization_id, customer_id)
    empty = dict.fromkeys(values, "")

    write(cloud_api, organization_id, id=customer_id, **empty)
    assert info(cloud_api, organization_id, customer_id) == before

    write(cloud_api, organization_id, id=customer_id, nullifyEmptyFields=True, **empty)
    cleared = {"name": None, "surname": None, "email": None, "birthday": None}
    assert info(cloud_api, organization_id, customer_id) == before | cleared


def test_zero_referrer_removes_the_referrer(cloud_api: Any, organization_id: Any, new_cloud_customer: Any) -> None:
    customer_id = new_cloud_customer(referrerId=new_cloud_customer()["customer_id"])["customer_id"]
    assert info(cloud_api, organization_id, customer_id)["referrerId"] is not None

    write(cloud_api, organization_id, id=customer_id, referrerId="00000000-0000-0000-0000-000000000000")

    assert info(cloud_api, organization_id, customer_id)["referrerId"] is None


@pytest.mark.parametrize(
    "fields",
    [
        {"sex": "Male"},
        {"sex": 3},
        {"consentStatus": 3},
        {"birthday": "1990-05-15"},
        {"birthday": "1990-05-15T00:00:00"},
        {"birthday": "1990-02-30 00:00:00.000"},
        {"cardTrack": "T"},
        {"cardNumber": "N"},
        {"nullifyEmptyFields": "yes"},
        {"isDeleted": 1},
    ],
)
def test_field_that_cannot_be_read_is_400_and_named(cloud_api: Any, organization_id: Any, fields: Any) -> None:
    answer = cloud_api.loyalty("customer/create_or_update", organization_id, phone="+79995000004", **fields)

    assert answer.status_code == 400
    assert next(iter(fields)) in answer.json()["errorDescription"]
    assert look_up(cloud_api, organization_id, "phone", "+79995000004").status_code == 400


@pytest.mark.parametrize(
    ("switch", "sent", "field", "ignored", "read"),
    [
        ("accepts_surname", {"surname": "Zorina"}, "surname", None, "Zorina"),
        ("accepts_text_sex", {"sex": "Female"}, "sex", "refused", 2),
        ("accepts_bare_date", {"birthday": "1991-06-16"}, "birthday", "refused", "1991-06-16 00:00:00.000"),
    ],
)
def test_what_input_is_understood_follows_its_switch(
    cloud: Any,
    cloud_api: Any,
    organization_id: Any,
    new_cloud_customer: Any,
    switch: Any,
    sent: Any,
    field: Any,
    ignored: Any,
    read: Any,
) -> None:
    customer_id = new_cloud_customer()["customer_id"]

    strict = cloud_api.loyalty("customer/create_or_update", organization_id, id=customer_id, **sent)
    untouched = info(cloud_api, organization_id, customer_id)[field]
    cloud.control.set_switches(**{switch: True})
    write(cloud_api, organization_id, id=customer_id, **sent)

    assert strict.status_code == (400 if ignored == "refused" else 200)
    assert untouched in (None, 0)
    assert info(cloud_api, organization_id, customer_id)[field] == read


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
