"""How a customer who is not known is created, linked or found again, and what never creates one."""

from typing import Any

import pytest

from fixtures.pushes import NEW_PHONES, Pushing, count_customers, fault, received
from syrve.crm.push_settings import PushSettings
from syrve_simulator.control import RawAnswer


def test_practice_2_customer_who_is_not_found_is_created_by_phone_and_the_id_comes_back(pushing: Pushing) -> None:
    phone = next(NEW_PHONES)
    crm_id = pushing.set_desired(phone=phone.replace("+7", "8 "), name="Новый", receives_promo=True)

    assert pushing.push().changed == 1

    assert pushing.outcomes() == [("customer_info", "not_found"), ("create_or_update", "acknowledged")]
    assert pushing.sent() == [{"phone": phone, "name": "Новый", "shouldReceivePromoActionsInfo": True}]
    with pushing.client() as client:
        found = client.customer_by_phone(pushing.organization_id, phone)
    assert pushing.value("select customer_id::text from crm.customer where crm_id = %s", crm_id) == found.customer_id


def test_new_customer_whose_consent_the_crm_does_not_state_gets_no_promotions(pushing: Pushing) -> None:
    phone = next(NEW_PHONES)
    pushing.set_desired(phone=phone)

    pushing.push()

    assert pushing.sent() == [{"phone": phone, "shouldReceivePromoActionsInfo": False}]


def test_trap_6_no_id_of_our_own_is_sent_on_create(cloud_pushing: Pushing) -> None:
    cloud_pushing.set_desired(phone=next(NEW_PHONES), surname="Новая")

    cloud_pushing.push()

    [body] = cloud_pushing.sent()
    assert "id" not in body
    assert body["surName"] == "Новая"


def test_practice_1_and_trap_10_phones_are_sent_as_e164(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    phone = next(NEW_PHONES)
    pushing.set_desired_of(person, phone=f"8 ({phone[2:5]}) {phone[5:8]}-{phone[8:]}")
    pushing.execute("update syrve.customer set phone = null, phone_raw = null")

    pushing.push()

    assert pushing.sent() == [{"id": person["customer_id"], "phone": phone}]


TROUBLE = [
    ("status", {"status": 500}),
    ("status", {"status": 503}),
    ("rate_limit", {"retry_after_seconds": 0}),
    ("reset_before", {}),
    ("truncate", {}),
    ("not_json", {}),
]


@pytest.mark.parametrize(("kind", "details"), TROUBLE, ids=lambda value: str(value))
def test_trap_1_trouble_of_the_service_never_creates(pushing: Pushing, kind: str, details: dict[str, Any]) -> None:
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    pushing.set_desired(phone=next(NEW_PHONES))
    fault(pushing, "customer_info", kind, **details)

    assert pushing.push().failed == 1

    assert received(pushing, "create_or_update") == 0
    pushing.simulator.control.clear_faults()
    assert pushing.push().changed == 1


def test_trap_1_answer_that_cannot_be_understood_never_creates(pushing: Pushing) -> None:
    phone = next(NEW_PHONES)
    pushing.set_desired(phone=phone)
    pushing.simulator.control.put_raw_answers([RawAnswer(pushing.organization_id, phone, b'{"id": 7}')])

    assert pushing.push().rejected == 1
    assert received(pushing, "create_or_update") == 0


def test_trap_5_just_created_customer_is_looked_up_later_and_not_taken_for_deleted(pushing: Pushing) -> None:
    pushing.push_settings = PushSettings(retry_seconds=0, settle_seconds=30)
    crm_id = pushing.set_desired(phone=next(NEW_PHONES), name="Новый")
    pushing.push()
    assert pushing.rows("select due_at > now() + interval '20 seconds' from sync.roster") == [(True,)]
    pushing.edit(crm_id, name="Другой")

    assert (pushing.plan().waiting, pushing.plan().refused) == (1, 0)


def test_customer_who_turns_out_to_exist_is_linked_and_compared_before_anything_is_sent(pushing: Pushing) -> None:
    [person] = pushing.people()
    known = pushing.in_syrve(person["customer_id"])
    pushing.execute("update crm.field_policy set policy = 'syrve' where field = 'surname'")
    try:
        crm_id = pushing.set_desired(phone=person["phone"], name="Маркетинг", surname="Чужая")

        counts = pushing.push()

        assert (counts.found, counts.changed, received(pushing, "create_or_update")) == (1, 0, 0)
        linked = pushing.value("select customer_id::text from crm.customer where crm_id = %s", crm_id)
        assert linked == person["customer_id"]
        pushing.pull()
        pushing.push()
        now = pushing.in_syrve(person["customer_id"])
        assert (now.name, now.surname) == ("Маркетинг", known.surname or None)
    finally:
        pushing.execute("update crm.field_policy set policy = 'newest' where field = 'surname'")


@pytest.mark.parametrize("lost", ["reset_after", "truncate"])
def test_lost_answer_to_a_creation_is_settled_by_look_up(pushing: Pushing, lost: str) -> None:
    before = count_customers(pushing)
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    crm_id = pushing.set_desired(phone=next(NEW_PHONES), name="Новый")
    fault(pushing, "create_or_update", lost)
    assert pushing.push().failed == 1
    pushing.simulator.control.clear_faults()
    pushing.simulator.control.reset_calls()

    assert pushing.push().found == 1
    pushing.look_up()
    assert pushing.push().requested == 0

    assert received(pushing, "create_or_update") == 0
    assert count_customers(pushing) == before + 1
    assert pushing.value("select customer_id is not null from crm.customer where crm_id = %s", crm_id)


def test_lost_creation_is_found_although_the_crm_wrote_another_phone_meanwhile(pushing: Pushing) -> None:
    before = count_customers(pushing)
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    first, second = next(NEW_PHONES), next(NEW_PHONES)
    crm_id = pushing.set_desired(phone=first, name="Новый")
    fault(pushing, "create_or_update", "reset_after")
    pushing.push()
    pushing.simulator.control.clear_faults()
    pushing.edit(crm_id, phone=second)

    assert pushing.push().found == 1
    pushing.look_up()
    pushing.execute("update crm.field_policy set policy = 'crm' where field = 'phone'")
    try:
        assert pushing.push().changed == 1
    finally:
        pushing.execute("update crm.field_policy set policy = 'ask' where field = 'phone'")

    assert count_customers(pushing) == before + 1
    with pushing.client() as client:
        assert client.customer_by_phone(pushing.organization_id, second).name == "Новый"


def test_lost_creation_that_look_ups_may_not_show_yet_is_waited_for(pushing: Pushing) -> None:
    before = count_customers(pushing)
    pushing.simulator.control.set_switches(new_customer_unknown_seconds=600)
    pushing.push_settings = PushSettings(retry_seconds=0, settle_seconds=600)
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    crm_id = pushing.set_desired(phone=next(NEW_PHONES), name="Новый")
    fault(pushing, "create_or_update", "reset_after")
    pushing.push()
    pushing.simulator.control.clear_faults()
    pushing.edit(crm_id, phone=next(NEW_PHONES))

    assert pushing.push().failed == 1

    assert count_customers(pushing) == before + 1, "nobody was created under the other phone"
