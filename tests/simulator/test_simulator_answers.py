"""The answers: the shapes of the reference document, and who is refused how."""

import json
import re
from typing import Any
from uuid import UUID

import pytest
import requests

CUSTOMER_FIELDS = {
    "id": (str,),
    "referrerId": (str, type(None)),
    "name": (str, type(None)),
    "surname": (str, type(None)),
    "middleName": (str, type(None)),
    "phone": (str,),
    "email": (str, type(None)),
    "birthday": (str, type(None)),
    "sex": (str,),
    "walletBalances": (list,),
    "cards": (list,),
    "categories": (list,),
    "programId": (str, type(None)),
    "programName": (str, type(None)),
    "shouldReceiveOrderStatusNotifications": (bool,),
    "shouldReceivePromoActionsInfo": (bool,),
    "personalDataProcessingConsentFrom": (str, type(None)),
    "personalDataProcessingConsentTo": (str, type(None)),
}


def test_token_answer_has_a_correlation_id_and_a_token(simulator: Any, make_api: Any) -> None:
    answer = make_api(simulator.url).post("access_token", {"apiLogin": "demo-login"})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert set(answer.json()) == {"correlationId", "token"}
    assert UUID(answer.json()["correlationId"])


def test_unknown_login_is_not_authorized(simulator: Any, make_api: Any) -> None:
    answer = make_api(simulator.url).post("access_token", {"apiLogin": "someone-else"})

    assert answer.status_code == 401
    assert answer.json()["errorDescription"].endswith("is not authorized")
    assert set(answer.json()) == {"correlationId", "errorDescription", "error"}


def test_organizations_come_in_the_simple_form(api: Any) -> None:
    answer = api.post("organizations", {}).json()

    assert set(answer) == {"correlationId", "organizations"}
    assert len(answer["organizations"]) == 2
    for organization in answer["organizations"]:
        assert set(organization) == {"responseType", "id", "name", "code", "externalData"}
        assert organization["responseType"] == "Simple"
        assert UUID(organization["id"])


def test_organizations_can_be_chosen(api: Any, organization_id: Any) -> None:
    chosen = api.post("organizations", {"organizationIds": [organization_id]}).json()["organizations"]

    assert [one["id"] for one in chosen] == [organization_id]


def test_customer_has_exactly_the_fields_of_the_reference_document(
    api: Any, simulator: Any, organization_id: Any
) -> None:
    for state in simulator.control.customers_page(organization_id, limit=50):
        customer = api.info(organization_id, phone=state["phone"]).json()
        assert set(customer) == set(CUSTOMER_FIELDS)
        for field, types in CUSTOMER_FIELDS.items():
            assert isinstance(customer[field], types), field
        assert customer["sex"] in {"Male", "Female", "NotSpecified"}
        assert customer["birthday"] is None or re.fullmatch(r"\d{4}-\d\d-\d\d", customer["birthday"])
        assert all(set(one) == {"id", "name", "type", "balance"} for one in customer["walletBalances"])
        assert all(set(one) == {"id", "track", "number", "validToDate"} for one in customer["cards"])
        assert all(set(one) == {"id", "name", "isActive", "isDefaultForNewGuests"} for one in customer["categories"])


def test_phone_id_and_card_find_the_same_customer(api: Any, simulator: Any, organization_id: Any) -> None:
    state = next(one for one in simulator.control.customers(organization_id) if one["card_tracks"])

    by_phone = api.info(organization_id, phone=state["phone"])
    by_id = api.info(organization_id, id=state["customer_id"])
    by_card = api.info(organization_id, cardTrack=state["card_tracks"][0])

    assert by_phone.status_code == 200
    assert by_phone.content == by_id.content == by_card.content


def test_phone_without_plus_and_id_in_capitals_are_understood(api: Any, simulator: Any, organization_id: Any) -> None:
    state = simulator.control.customers_page(organization_id, limit=1)[0]

    assert api.info(organization_id, phone=state["phone"].removeprefix("+")).status_code == 200
    assert api.info(organization_id, id=state["customer_id"].upper()).status_code == 200


def test_syrve_segment_answers_like_iiko(api: Any, simulator: Any, organization_id: Any) -> None:
    phone = simulator.control.customers_page(organization_id, limit=1)[0]["phone"]
    by_iiko = api.info(organization_id, phone=phone)
    api.segment = "syrve"

    assert api.info(organization_id, phone=phone).content == by_iiko.content


@pytest.mark.parametrize(
    ("lookup", "code", "error_code"),
    [
        ({"phone": "+79990000000"}, "Transport_WrongCustomerNumber", "Validation_IncorrectPhone"),
        ({"id": "11111111-2222-4333-8444-555555555555"}, "Transport_WrongCustomerId", "Customer_CustomerNotFound"),
        ({"cardTrack": "no such track"}, "Transport_WrongCarTrack", "Card_CanNotFindByTrack"),
    ],
)
def test_nobody_with_that_identity_is_400_with_the_codes_of_the_service(
    api: Any, organization_id: Any, lookup: Any, code: Any, error_code: Any
) -> None:
    answer = api.info(organization_id, **lookup)

    assert answer.status_code == 400
    assert answer.json()["code"] == code
    assert answer.json()["errorCode"] == error_code
    assert answer.json()["httpStatusCode"] == 400
    assert answer.json()["message"].startswith("There is no user with ")


def test_customer_of_another_organization_is_not_found(api: Any, simulator: Any) -> None:
    first, second = (one["organization_id"] for one in simulator.control.organizations())
    in_second = {one["customer_id"] for one in simulator.control.customers(second)}
    only_first = next(one for one in simulator.control.customers(first) if one["customer_id"] not in in_second)

    assert api.info(first, phone=only_first["phone"]).status_code == 200
    assert api.info(second, phone=only_first["phone"]).status_code == 400


def test_customer_of_two_organizations_has_one_id_and_phone_and_two_sets_of_wallets(api: Any, simulator: Any) -> None:
    first, second = (one["organization_id"] for one in simulator.control.organizations())
    in_second = {one["customer_id"] for one in simulator.control.customers(second)}
    both = next(one for one in simulator.control.customers(first) if one["customer_id"] in in_second)

    here, there = (api.info(one, phone=both["phone"]).json() for one in (first, second))

    assert (here["id"], here["phone"], here["surname"]) == (there["id"], there["phone"], there["surname"])
    assert here["walletBalances"] != there["walletBalances"]


@pytest.mark.parametrize("missing", ["organizationId", "type", "phone"])
def test_missing_field_is_400_and_named(api: Any, simulator: Any, organization_id: Any, missing: Any) -> None:
    body = {"organizationId": organization_id, "type": "phone", "phone": "+79750000000"}
    del body[missing]

    answer = api.post("loyalty/iiko/customer/info", body)

    assert answer.status_code == 400
    assert missing in answer.json()["errorDescription"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"", b'{"a": \xff}', b"[" * 100_000])
def test_body_that_is_no_json_object_is_400(api: Any, body: Any) -> None:
    answer = api.post("loyalty/iiko/customer/info", body)

    assert answer.status_code == 400
    assert "JSON" in answer.json()["errorDescription"]


def test_lookup_of_an_unknown_type_is_400(api: Any, organization_id: Any) -> None:
    answer = api.loyalty("customer/info", organization_id, type="email", email="a@example.com")

    assert answer.status_code == 400


def test_unknown_path_is_404_and_counted_as_unknown(api: Any, simulator: Any) -> None:
    assert api.post("customer/list", {}).status_code == 404
    assert simulator.control.calls()["operations"]["unknown"]["statuses"] == {"404": 1}


def test_get_of_a_method_is_405(simulator: Any) -> None:
    assert requests.get(f"{simulator.url}/api/1/organizations", timeout=5).status_code == 405


@pytest.mark.parametrize("authorization", [None, "Bearer never-issued", "Basic abc", "Bearer "])
def test_no_good_token_is_401_in_the_declared_shape(simulator: Any, authorization: Any) -> None:
    answer = requests.post(
        f"{simulator.url}/api/1/organizations",
        json={},
        headers={"Authorization": authorization} if authorization else {},
        timeout=5,
    )

    assert answer.status_code == 401
    assert set(answer.json()) == {"correlationId", "errorDescription", "error"}


def test_token_expires_after_its_lifetime(simulator: Any, api: Any, wait_for: Any) -> None:
    simulator.control.set_switches(token_lifetime_seconds=0.3)
    api.sign_in()

    assert api.post("organizations", {}).status_code == 200
    wait_for(lambda: api.post("organizations", {}).status_code == 401)
    simulator.control.set_switches(token_lifetime_seconds=60)
    api.sign_in()
    assert api.post("organizations", {}).status_code == 200


def test_new_token_voids_the_former_where_switched_on(simulator: Any, api: Any, make_api: Any) -> None:
    other = make_api(simulator.url)
    other.sign_in()
    simulator.control.set_switches(new_token_voids_former=True)
    api.sign_in()

    assert [each.post("organizations", {}).status_code for each in (other, api)] == [401, 200]
    assert simulator.control.reset_switches()["new_token_voids_former"] is False
    other.sign_in()
    assert api.post("organizations", {}).status_code == 200


def test_token_call_takes_json_that_was_encoded_twice(simulator: Any, make_api: Any) -> None:
    body = json.dumps({"apiLogin": "demo-login"})

    answers = [make_api(simulator.url).post("access_token", each) for each in (body, json.dumps(body))]

    assert [answer.status_code for answer in answers] == [200, 400], "twice, not three times"


def test_right_taken_from_the_login_is_401_with_a_bare_text(simulator: Any, api: Any, organization_id: Any) -> None:
    simulator.control.set_switches(removed_rights=["customer_info"])

    answer = api.info(organization_id, phone="+79750000000")

    assert answer.status_code == 401
    assert answer.json() == "Right api/1/loyalty/iiko/customer/info is not allowed for this ApiLogin"
    assert api.post("organizations", {}).status_code == 200


def test_organization_without_loyalty_is_refused_by_every_loyalty_call(
    simulator: Any, api: Any, organization_id: Any
) -> None:
    simulator.control.set_switches(organizations_without_loyalty=[organization_id])

    for answer in (
        api.info(organization_id, phone="+79750000000"),
        api.loyalty("customer/create_or_update", organization_id, phone="+79750000000"),
        api.loyalty("coupons/info", organization_id, number="X"),
        api.post("loyalty/iiko/coupons/series", {"organizationIds": [organization_id]}),
    ):
        assert answer.status_code == 400
        assert answer.json()["code"] == "Transport_WrongCrmId"
        assert answer.json()["errorCode"] == "Common_OrganizationNotFound"


def test_coupon_is_told_in_full(api: Any, simulator: Any, organization_id: Any) -> None:
    listed = simulator.control.coupons(organization_id)

    answer = api.loyalty("coupons/info", organization_id, number=listed[0]["number"]).json()

    assert set(answer) == {"correlationId", "couponInfo"}
    assert set(answer["couponInfo"]) == {
        "id", "number", "seriesId", "seriesName", "isUsed", "whenActivated", "activatedBy", "notAfterDateBecomesApplied",
    }  # fmt: skip
    assert answer["couponInfo"]["number"] == listed[0]["number"]


def test_coupons_are_used_and_not_expired_and_not_and_never_expiring(simulator: Any, organization_id: Any) -> None:
    coupons = simulator.control.coupons(organization_id)

    assert {one["is_used"] for one in coupons} == {True, False}
    assert {(one["not_after"] or "never")[:4] for one in coupons} == {"2020", "2099", "neve"}


def test_unknown_coupon_is_null(api: Any, organization_id: Any) -> None:
    answer = api.loyalty("coupons/info", organization_id, number="NO-SUCH-COUPON")

    assert answer.status_code == 200
    assert answer.json()["couponInfo"] is None


def test_coupon_series_are_listed_by_organization(api: Any, simulator: Any) -> None:
    organization_ids = [one["organization_id"] for one in simulator.control.organizations()]

    answer = api.post("loyalty/iiko/coupons/series", {"organizationIds": organization_ids}).json()

    assert set(answer) == {"correlationId", "couponSeries"}
    assert [one["organizationId"] for one in answer["couponSeries"]] == organization_ids
    items = answer["couponSeries"][0]["items"]
    assert all(set(one) == {"id", "name", "isActivated", "discountType", "discountValue"} for one in items)
    assert {one["discountType"] for one in items} == {"Percent", "Fixed"}
    assert {one["isActivated"] for one in items} == {True, False}


def test_coupon_series_of_no_organization_is_400(api: Any) -> None:
    assert api.post("loyalty/iiko/coupons/series", {}).status_code == 400
