"""What can be written about a customer of the cloud dialect, and how it can be read again."""

from typing import Any

import pytest

from fixtures.simulator_calls import TIME, UNKNOWN_ID, info, look_up, write


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
