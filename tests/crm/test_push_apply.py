"""What applying a plan sends, what it refuses to send, and what it writes down."""

import logging
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from fixtures.pushes import ASKED_BY, IMPATIENT_PUSH, NEW_PHONES, Pushing, let_pass
from syrve.api.dialects import dialect_named
from syrve.api.errors import AuthenticationFailed, LoyaltyNotConfigured, PermissionDenied
from syrve.crm.apply import ApplyScope, PushApply
from syrve.crm.errors import PushIncomplete
from syrve.crm.plan import PlanScope, PushPlanner, shards_of
from syrve.crm.settings import PushSettings
from syrve.warehouse.errors import WarehouseError
from syrve_simulator.control import RawAnswer


def fault(pushing: Pushing, operation: str, kind: str, **details: Any) -> None:
    pushing.simulator.control.set_faults([{"operation": operation, "fault": kind, **details}])


def received(pushing: Pushing, operation: str) -> int:
    calls = pushing.simulator.control.calls()["operations"]
    return calls[operation]["received"] if operation in calls else 0


def count_customers(pushing: Pushing) -> int:
    return {one["organization_id"]: one["customers"] for one in pushing.simulator.control.organizations()}[
        pushing.organization_id
    ]


def category_of(pushing: Pushing) -> str:
    category_id = pushing.value(
        "select category_id::text from syrve.customer_category group by category_id order by count(*) limit 1"
    )
    return str(category_id)


def test_only_the_changed_fields_are_sent_by_id(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    known = pushing.in_syrve(person["customer_id"])
    pushing.wish_of(person, phone=known.phone, name="Новое", birthday=date(1990, 5, 15))

    counts = pushing.push()

    assert (counts.requested, counts.changed, counts.calls) == (1, 1, 2)  # the token is a call
    assert pushing.sent() == [{"id": person["customer_id"], "name": "Новое", "birthday": "1990-05-15"}]


def test_attempt_is_on_record_with_names_and_without_values(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.wish_of(person, name="Секретное", email="secret@example.com")
    plan = pushing.plan()

    pushing.apply(plan)

    [row] = pushing.rows(
        "select plan_id, crm_id, customer_id::text, step, operation, fields, outcome, code, requests, seconds >= 0 from crm.push"
    )
    assert row == (
        plan.plan_id,
        crm_id,
        person["customer_id"],
        0,
        "create_or_update",
        ["email", "name"],
        "acknowledged",
        None,
        2,
        True,
    )
    assert "ecret" not in str(pushing.rows("select * from crm.push"))


def correlation_ids(pushing: Pushing) -> list[tuple[str, str, str | None]]:
    return pushing.rows("select operation, outcome, correlation_id from crm.push order by push_id")


def test_every_attempt_that_was_answered_has_the_correlation_id_of_that_answer(pushing: Pushing) -> None:
    pushing.mirrored(20)
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    crm_id = pushing.wish(phone=next(NEW_PHONES), name="Новый")
    pushing.execute(
        "insert into crm.customer_category (crm_id, category_id) values (%s, %s)", crm_id, category_of(pushing)
    )
    fault(pushing, "category_add", "status", status=500)
    pushing.push()
    fault(pushing, "category_add", "reset_before")
    pushing.look_up()
    pushing.push()

    told = correlation_ids(pushing)

    assert [each[:2] for each in told] == [
        ("customer_info", "not_found"),
        ("create_or_update", "acknowledged"),
        ("category_add", "failed"),
        ("category_add", "failed"),
    ]
    not_found, created, answered, unanswered = (each[2] for each in told)
    assert (not_found, unanswered) == (None, None), "the loyalty back end's own refusals carry none; nor does no answer"
    assert UUID(created or "") != UUID(answered or ""), "of its own answer, not of an earlier one"


def test_refusal_has_the_correlation_id_that_syrve_gave_it(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.wish_of(person, name="Новое")
    given = str(uuid4())
    body = f'{{"correlationId": "{given}", "errorDescription": "no", "error": "SOME_CODE"}}'
    fault(pushing, "create_or_update", "status", status=400, body=body)

    pushing.push()

    assert correlation_ids(pushing) == [("create_or_update", "refused", given)]


def test_same_push_again_makes_no_call(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.wish_of(person, name="Новое")
    pushing.wish(phone=next(NEW_PHONES), name="Новый")
    plan = pushing.plan()
    pushing.apply(plan)
    pushing.simulator.control.reset_calls()

    assert pushing.apply(plan).requested == 0
    assert pushing.push().requested == 0
    pushing.look_up()
    assert pushing.plan().size == 0
    assert received(pushing, "create_or_update") == 0


def test_own_push_does_not_come_back_as_a_change(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.wish_of(person, name="Новое")
    pushing.push()
    for _ in range(2):
        pushing.plan()
        assert pushing.rows("select * from crm.remote_change") == []
        pushing.look_up()


def test_edit_before_the_push_has_been_seen_in_a_look_up_is_no_conflict(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.wish_of(person, name="Первое")
    pushing.push()
    pushing.edit(crm_id, name="Второе")

    plan = pushing.plan()

    assert (plan.updates, plan.conflicts) == (1, 0)
    pushing.apply(plan)
    assert pushing.in_syrve(person["customer_id"]).name == "Второе"


def test_practice_5_pushed_customer_is_due_for_a_look_up(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.execute("update sync.roster set due_at = now() + interval '1 day'")
    pushing.wish_of(person, name="Новое")

    pushing.push()

    assert pushing.rows("select identity_kind, identity_value from sync.roster where due_at <= now()") == [
        ("id", person["customer_id"])
    ]


def test_customer_known_by_phone_alone_is_due_under_that_identity_and_by_id_once_the_phone_is_another(
    pushing: Pushing,
) -> None:
    [person] = pushing.people()
    pushing.add(phone=[person["phone"]])
    pushing.pull()
    pushing.execute("update sync.roster set due_at = now() + interval '1 day'")
    crm_id = pushing.wish_of(person, name="Новое")
    pushing.push()
    due = "select identity_kind, identity_value from sync.roster where due_at <= now() order by 1"
    assert pushing.rows(due) == [("phone", person["phone"])]

    pushing.execute("update sync.roster set due_at = now() + interval '1 day'")
    pushing.look_up()
    pushing.plan()
    pushing.execute("update syrve.customer set phone = null, phone_raw = null")
    pushing.edit(crm_id, phone=next(NEW_PHONES))
    assert pushing.push().changed == 1
    assert pushing.rows(due) == [("id", person["customer_id"]), ("phone", person["phone"])]


def test_read_back_that_does_not_show_the_change_is_a_finding_and_not_a_loop(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    before = pushing.in_syrve(person["customer_id"])
    pushing.wish_of(person, name="Новое")
    pushing.push()
    pushing.change_in_syrve(person, name=before.name)  # as a service would that acknowledged and did nothing
    pushing.look_up()

    plan = pushing.plan()

    findings = (
        "select reason from sync.reject where entity = 'crm_customer' and stage = 'read_back' and resolved_at is null"
    )
    assert (plan.size, plan.unshown) == (0, 1)
    assert pushing.rows(findings) == [
        ("Syrve acknowledged a change of name, but the look-up after it shows something else",)
    ]
    assert pushing.value("select syrve_value from crm.remote_change") == before.name
    pushing.change_in_syrve(person, name="Новое")
    pushing.look_up()
    pushing.plan()
    assert pushing.rows(findings) == []


def test_answer_that_may_be_older_than_the_push_is_no_finding(pushing: Pushing) -> None:
    pushing.push_settings = PushSettings(in_flight_seconds=60)
    [person] = pushing.mirrored()
    pushing.wish_of(person, name="Новое")
    pushing.push()
    pushing.change_in_syrve(person, name="Касса")
    pushing.look_up()

    assert pushing.plan().unshown == 0
    assert pushing.value("select pushed is not null from crm.push_state")


def test_row_that_the_crm_changed_since_the_plan_is_not_sent(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.wish_of(person, name="Первое")
    plan = pushing.plan()
    pushing.edit(crm_id, name="Второе")

    counts = pushing.apply(plan)

    assert (counts.unchanged, counts.changed, received(pushing, "create_or_update")) == (1, 0, 0)
    assert pushing.rows("select state, reason from crm.push_plan") == [
        ("stale", "the CRM has changed the row since it was planned")
    ]
    assert pushing.push().changed == 1
    assert pushing.in_syrve(person["customer_id"]).name == "Второе"


def test_membership_that_the_crm_changed_since_the_plan_makes_the_row_stale(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.wish_of(person, name="Первое")
    plan = pushing.plan()
    pushing.execute("insert into crm.customer_card (crm_id, track) values (%s, %s)", crm_id, f"T{uuid4().hex[:8]}")

    assert pushing.apply(plan).unchanged == 1
    assert pushing.push().changed == 1


def test_row_whose_mirror_moved_since_the_plan_is_not_sent(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.wish_of(person, name="Маркетинг")
    plan = pushing.plan()
    pushing.change_in_syrve(person, name="Касса")
    pushing.look_up()

    assert pushing.apply(plan).unchanged == 1
    assert pushing.states(plan) == {1: "stale"}
    assert pushing.in_syrve(person["customer_id"]).name == "Касса"


def test_money_that_moved_since_the_plan_holds_no_row_up(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.wish_of(person, name="Маркетинг")
    plan = pushing.plan()
    wallet_id = pushing.value("select wallet_id::text from syrve.wallet_balance limit 1")
    control = pushing.simulator.control
    control.change_customer(pushing.organization_id, person["customer_id"], balances={wallet_id: "1234.5"})
    pushing.look_up()

    assert pushing.apply(plan).changed == 1


def test_edit_that_arrives_while_its_row_is_sent_is_planned_again(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.wish_of(person, name="Первое")
    plan = pushing.plan()
    pushing.execute(
        f"""
        create function crm.edit_meanwhile() returns trigger language plpgsql as $$
        begin
            update crm.customer set name = 'Второе' where crm_id = {crm_id};
            return new;
        end $$;
        create trigger edit_meanwhile before insert on crm.push for each row execute function crm.edit_meanwhile()
        """
    )
    try:
        assert pushing.apply(plan).changed == 1
    finally:
        pushing.execute("drop trigger edit_meanwhile on crm.push; drop function crm.edit_meanwhile()")
    assert pushing.in_syrve(person["customer_id"]).name == "Первое"

    assert pushing.push().changed == 1
    assert pushing.in_syrve(person["customer_id"]).name == "Второе"


def test_practice_2_customer_who_is_not_found_is_created_by_phone_and_the_id_comes_back(pushing: Pushing) -> None:
    phone = next(NEW_PHONES)
    crm_id = pushing.wish(phone=phone.replace("+7", "8 "), name="Новый", receives_promo=True)

    assert pushing.push().changed == 1

    assert pushing.outcomes() == [("customer_info", "not_found"), ("create_or_update", "acknowledged")]
    assert pushing.sent() == [{"phone": phone, "name": "Новый", "shouldReceivePromoActionsInfo": True}]
    with pushing.client() as client:
        found = client.customer_by_phone(pushing.organization_id, phone)
    assert pushing.value("select customer_id::text from crm.customer where crm_id = %s", crm_id) == found.customer_id


def test_new_customer_whose_consent_the_crm_does_not_state_gets_no_promotions(pushing: Pushing) -> None:
    phone = next(NEW_PHONES)
    pushing.wish(phone=phone)

    pushing.push()

    assert pushing.sent() == [{"phone": phone, "shouldReceivePromoActionsInfo": False}]


def test_trap_6_no_id_of_our_own_is_sent_on_create(cloud_pushing: Pushing) -> None:
    cloud_pushing.wish(phone=next(NEW_PHONES), surname="Новая")

    cloud_pushing.push()

    [body] = cloud_pushing.sent()
    assert "id" not in body
    assert body["surName"] == "Новая"


def test_practice_1_and_trap_10_phones_are_sent_as_e164(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    phone = next(NEW_PHONES)
    pushing.wish_of(person, phone=f"8 ({phone[2:5]}) {phone[5:8]}-{phone[8:]}")
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
    pushing.wish(phone=next(NEW_PHONES))
    fault(pushing, "customer_info", kind, **details)

    assert pushing.push().failed == 1

    assert received(pushing, "create_or_update") == 0
    pushing.simulator.control.clear_faults()
    assert pushing.push().changed == 1


def test_trap_1_answer_that_cannot_be_understood_never_creates(pushing: Pushing) -> None:
    phone = next(NEW_PHONES)
    pushing.wish(phone=phone)
    pushing.simulator.control.put_raw_answers([RawAnswer(pushing.organization_id, phone, b'{"id": 7}')])

    assert pushing.push().rejected == 1
    assert received(pushing, "create_or_update") == 0


def test_trap_2_missing_right_ends_the_task_at_once_and_loses_nothing(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.wish_of(person, name="Новое")
    plan = pushing.plan()
    pushing.simulator.control.set_switches(removed_rights=["create_or_update"])

    with pytest.raises(PermissionDenied, match="Guests: creating"):
        pushing.apply(plan)

    assert received(pushing, "create_or_update") == 1
    assert pushing.outcomes() == [("create_or_update", "failed")]
    assert pushing.states(plan) == {1: "planned"}
    pushing.simulator.control.set_switches(removed_rights=[])
    assert pushing.apply(plan).changed == 1


def test_refused_login_ends_the_task_at_once(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.wish_of(person, name="Новое")
    pushing.client_settings = {"api_login": "nobody"}

    with pytest.raises(AuthenticationFailed):
        pushing.push()


def test_trap_5_just_created_customer_is_looked_up_later_and_not_taken_for_deleted(pushing: Pushing) -> None:
    pushing.push_settings = PushSettings(retry_seconds=0, settle_seconds=30)
    crm_id = pushing.wish(phone=next(NEW_PHONES), name="Новый")
    pushing.push()
    assert pushing.rows("select due_at > now() + interval '20 seconds' from sync.roster") == [(True,)]
    pushing.edit(crm_id, name="Другой")

    assert (pushing.plan().waiting, pushing.plan().refused) == (1, 0)


def test_trap_5_membership_of_a_customer_not_known_yet_is_tried_again(pushing: Pushing) -> None:
    pushing.mirrored(5)
    category_id = category_of(pushing)
    crm_id = pushing.wish(phone=next(NEW_PHONES))
    pushing.execute("insert into crm.customer_category (crm_id, category_id) values (%s, %s)", crm_id, category_id)
    unknown = '{"code": "Transport_WrongCustomerId", "errorCode": "Customer_CustomerNotFound"}'
    fault(pushing, "category_add", "status", status=400, body=unknown)

    counts = pushing.push()

    assert (counts.failed, counts.rejected) == (1, 0)
    pushing.simulator.control.clear_faults()
    pushing.look_up()
    assert pushing.push().changed == 1
    assert received(pushing, "create_or_update") == 1


def test_trap_8_answer_to_joining_a_programme_is_taken_for_no_wallet_and_no_customer(cloud_pushing: Pushing) -> None:
    [person] = cloud_pushing.mirrored()
    wallets = cloud_pushing.rows("select wallet_id, balance from syrve.wallet_balance order by wallet_id")
    with cloud_pushing.client() as client:
        program_id = client.programs(cloud_pushing.organization_id)[0].program_id
    crm_id = cloud_pushing.wish_of(person)
    cloud_pushing.execute("insert into crm.customer_program (crm_id, program_id) values (%s, %s)", crm_id, program_id)

    cloud_pushing.push()

    assert cloud_pushing.outcomes() == [("program_add", "acknowledged")]
    assert cloud_pushing.value("select customer_id::text from crm.push") == person["customer_id"]
    assert cloud_pushing.value("select customer_id::text from crm.customer") == person["customer_id"]
    assert cloud_pushing.rows("select wallet_id, balance from syrve.wallet_balance order by wallet_id") == wallets


def test_trap_13_organization_without_loyalty_says_so_and_keeps_its_rows_open(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.wish_of(person, name="Новое")
    plan = pushing.plan()
    pushing.simulator.control.set_switches(organizations_without_loyalty=[pushing.organization_id])

    with pytest.raises(LoyaltyNotConfigured):
        pushing.apply(plan)

    assert pushing.states(plan) == {1: "planned"}


def test_customer_who_turns_out_to_exist_is_linked_and_compared_before_anything_is_sent(pushing: Pushing) -> None:
    [person] = pushing.people()
    known = pushing.in_syrve(person["customer_id"])
    pushing.execute("update crm.field_policy set policy = 'syrve' where field = 'surname'")
    try:
        crm_id = pushing.wish(phone=person["phone"], name="Маркетинг", surname="Чужая")

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
    crm_id = pushing.wish(phone=next(NEW_PHONES), name="Новый")
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
    crm_id = pushing.wish(phone=first, name="Новый")
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
    crm_id = pushing.wish(phone=next(NEW_PHONES), name="Новый")
    fault(pushing, "create_or_update", "reset_after")
    pushing.push()
    pushing.simulator.control.clear_faults()
    pushing.edit(crm_id, phone=next(NEW_PHONES))

    assert pushing.push().failed == 1

    assert count_customers(pushing) == before + 1, "nobody was created under the other phone"


def test_memberships_follow_their_customer(cloud_pushing: Pushing) -> None:
    pushing = cloud_pushing
    pushing.mirrored(5)
    category_id = category_of(pushing)
    with pushing.client() as client:
        program_id = client.programs(pushing.organization_id)[0].program_id
    track = f"T{uuid4().hex[:10]}"
    crm_id = pushing.wish(phone=next(NEW_PHONES), name="Новый")
    pushing.execute("insert into crm.customer_card (crm_id, track, number) values (%s, %s, '000777')", crm_id, track)
    pushing.execute("insert into crm.customer_category (crm_id, category_id) values (%s, %s)", crm_id, category_id)
    pushing.execute("insert into crm.customer_program (crm_id, program_id) values (%s, %s)", crm_id, program_id)

    plan = pushing.plan()
    assert (plan.creates, plan.memberships) == (1, 3)
    assert pushing.apply(plan).changed == 1

    operations = ["customer_info", "create_or_update", "category_add", "card_add", "program_add"]
    assert [operation for operation, _ in pushing.outcomes()] == operations
    customer_id = pushing.value("select customer_id::text from crm.customer where crm_id = %s", crm_id)
    card = {"customerId": customer_id, "cardTrack": track, "cardNumber": "000777"}
    assert pushing.sent("card_add") == [card]
    pushing.look_up()
    assert pushing.plan().size == 0

    pushing.execute("update crm.customer_card set wanted = false where crm_id = %s", crm_id)
    pushing.execute("update crm.customer_category set wanted = false where crm_id = %s", crm_id)
    assert pushing.push().changed == 1
    now = pushing.in_syrve(customer_id)
    assert ([card.track for card in now.cards], category_id in [each.category_id for each in now.categories]) == (
        [],
        False,
    )
    assert pushing.sent("card_remove") == [{"customerId": customer_id, "cardTrack": track}]


def test_taking_out_of_a_category_is_refused_under_the_reference_dialect(pushing: Pushing) -> None:
    pushing.mirrored(5)
    [(customer_id, category_id)] = pushing.rows(
        "select customer_id::text, category_id::text from syrve.customer_category limit 1"
    )
    crm_id = pushing.wish(customer_id=customer_id)
    pushing.execute(
        "insert into crm.customer_category (crm_id, category_id, wanted) values (%s, %s, false)", crm_id, category_id
    )

    assert pushing.plan().refused == 1
    assert (
        pushing.value("select reason from crm.push_blocked")
        == "taking a customer out of a category needs the dialect cloud"
    )


def test_removal_of_a_card_whose_answer_was_lost_counts_as_done(pushing: Pushing) -> None:
    pushing.mirrored(10)
    [(customer_id, track)] = pushing.rows("select customer_id::text, track from syrve.card limit 1")
    crm_id = pushing.wish(customer_id=customer_id)
    pushing.execute("insert into crm.customer_card (crm_id, track, wanted) values (%s, %s, false)", crm_id, track)
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    fault(pushing, "card_remove", "reset_after")
    assert pushing.push().failed == 1
    pushing.simulator.control.clear_faults()

    assert pushing.push().changed == 1
    assert [outcome for _, outcome in pushing.outcomes()] == ["failed", "acknowledged"]


def test_acknowledged_part_of_a_row_is_not_sent_again(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.wish_of(person, name="Новое")
    pushing.execute("insert into crm.customer_card (crm_id, track) values (%s, %s)", crm_id, f"T{uuid4().hex[:10]}")
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    fault(pushing, "card_add", "status", status=500)
    assert pushing.push().failed == 1
    pushing.simulator.control.clear_faults()

    plan = pushing.plan()

    assert plan.fields == {"card": 1}
    assert pushing.apply(plan).changed == 1
    assert received(pushing, "create_or_update") == 1


def test_failures_are_retried_with_growing_waits(pushing: Pushing) -> None:
    pushing.push_settings = PushSettings(retry_seconds=100)
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    [person] = pushing.mirrored()
    pushing.wish_of(person, name="Новое")
    fault(pushing, "create_or_update", "status", status=500)
    waits = []
    for _ in range(3):
        assert pushing.push().failed == 1
        assert pushing.plan().size == 0, "it waits"
        waits.append(pushing.value("select extract(epoch from retry_at - now())::float from crm.push_state"))
        pushing.execute("update crm.push_state set retry_at = now()")

    assert [round(wait / 100) for wait in waits] == [1, 2, 4]
    pushing.simulator.control.clear_faults()
    assert pushing.push().changed == 1
    assert pushing.value("select failures from crm.push_state") == 0


def test_failed_row_goes_at_once_when_its_data_change(pushing: Pushing) -> None:
    pushing.push_settings = PushSettings(retry_seconds=1000)
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    [person] = pushing.mirrored()
    crm_id = pushing.wish_of(person, name="Новое")
    fault(pushing, "create_or_update", "status", status=500)
    pushing.push()
    pushing.simulator.control.clear_faults()
    pushing.edit(crm_id, name="Другое")

    assert pushing.push().changed == 1


def refused_row(pushing: Pushing) -> tuple[int, str]:
    """A row that Syrve refuses: it wants the phone of somebody else."""
    one, other = pushing.mirrored(2)
    pushing.execute(
        "update syrve.customer set phone = null, phone_raw = null where customer_id = %s", one["customer_id"]
    )
    return pushing.wish_of(one, phone=other["phone"], name="Новое"), one["customer_id"]


def test_rejected_row_is_retried_quarantined_visible_and_replayable_never_skipped_as_unchanged(
    pushing: Pushing, caplog: pytest.LogCaptureFixture
) -> None:
    """Named after multiwoven#910: a green run whose rows were all refused and never tried again."""
    caplog.set_level(logging.WARNING)
    crm_id, customer_id = refused_row(pushing)
    for number in (1, 2, 3):
        assert pushing.value("select count(*) from crm.push_blocked") == 0
        assert pushing.push().rejected == 1, number
    blocked = pushing.rows("select crm_id, stage, operation, times, reason from crm.push_blocked")
    assert [row[:4] for row in blocked] == [(crm_id, "apply", "create_or_update", 3)]
    assert len([record for record in caplog.records if "waits in crm.push_blocked" in record.message]) == 1

    assert pushing.plan().size == 0, "it waits"
    assert pushing.plan(release_blocked=True).size == 1, "a person lets it go"
    pushing.push()
    pushing.execute("delete from crm.push_blocked")
    pushing.edit(crm_id, phone=next(NEW_PHONES))
    assert pushing.push().changed == 1, "its data changed"
    assert pushing.in_syrve(customer_id).name == "Новое"
    assert [outcome for _, outcome in pushing.outcomes()] == ["refused"] * 4 + ["acknowledged"]


def test_blocked_row_goes_again_when_its_data_change_without_anybody_releasing_it(pushing: Pushing) -> None:
    crm_id, _ = refused_row(pushing)
    for _ in range(3):
        pushing.push()
    assert pushing.plan().size == 0
    pushing.edit(crm_id, phone=next(NEW_PHONES))

    assert pushing.push().changed == 1
    assert pushing.value("select count(*) from crm.push_blocked") == 0


def test_customers_are_sent_at_once_and_each_attempt_counts_its_own_requests(pushing: Pushing) -> None:
    people = pushing.mirrored(40)
    for number, person in enumerate(people):
        pushing.wish_of(person, surname=f"Другая {number}")
    plan = pushing.plan()
    pushing.simulator.control.set_switches(latency_ms=100)

    counts = pushing.apply(plan)

    assert (counts.changed, counts.calls) == (40, 41)  # one token for all threads
    assert counts.seconds < 40 * 0.1 / 3, "one after another it is longer than 4 s"
    assert pushing.value("select sum(requests)::int from crm.push") == 41
    assert pushing.value("select count(distinct correlation_id) from crm.push") == 40
    sent = {body["id"]: body["surname"] for body in pushing.sent()}
    assert sent == {person["customer_id"]: f"Другая {number}" for number, person in enumerate(people)}


def test_task_sends_no_more_at_once_than_the_connection_allows(pushing: Pushing) -> None:
    pushing.client_settings = {"max_concurrency": 1}
    for person in pushing.mirrored(6):
        pushing.wish_of(person, surname="Другая")

    assert pushing.push().changed == 6

    overlapping = """
        select count(*) from crm.push as one inner join crm.push as two on one.push_id < two.push_id
        where two.attempted_at < one.attempted_at + make_interval(secs => one.seconds::float)
    """
    assert pushing.value(overlapping) == 0


def test_error_that_concerns_all_rows_stops_every_thread_and_keeps_what_was_acknowledged(pushing: Pushing) -> None:
    for person in pushing.mirrored(40):
        pushing.wish_of(person, surname="Другая")
    plan = pushing.plan()
    pushing.simulator.control.set_switches(removed_rights=["create_or_update"])

    with pytest.raises(PermissionDenied):
        pushing.apply(plan)

    assert received(pushing, "create_or_update") <= IMPATIENT_PUSH.max_concurrency
    assert set(pushing.states(plan).values()) == {"planned"}
    assert pushing.value("select count(*) from crm.push_state where lease is not null") == 0


def test_row_that_a_person_lets_go_goes_at_once_and_is_counted_anew(pushing: Pushing) -> None:
    pushing.push_settings = PushSettings(retry_seconds=3600)
    refused_row(pushing)
    for _ in range(3):
        assert pushing.push().rejected == 1
        pushing.execute("update crm.push_state set retry_at = now()")
    pushing.execute("update crm.push_state set retry_at = now() + interval '6 hours'")

    pushing.execute("delete from crm.push_blocked")

    assert pushing.push().rejected == 1, "its long wait is over too"
    assert pushing.value("select count(*) from crm.push_blocked") == 0, "one refusal, not a fourth"


def test_refused_row_holds_up_no_other(pushing: Pushing) -> None:
    refused_row(pushing)
    for person in pushing.mirrored(3):
        pushing.wish_of(person, surname="Другая")

    counts = pushing.push()

    assert (counts.rejected, counts.changed) == (1, 3)


def test_outage_ends_the_task_and_leaves_the_rest_open(pushing: Pushing) -> None:
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    for person in pushing.mirrored(30):
        pushing.wish_of(person, surname="Другая")
    fault(pushing, "create_or_update", "status", status=503)
    plan = pushing.plan()

    with pytest.raises(PushIncomplete):
        pushing.apply(plan)

    states = list(pushing.states(plan).values())
    failed, still_open = states.count("failed"), states.count("planned")
    at_most = IMPATIENT_PUSH.outage_failures + IMPATIENT_PUSH.max_concurrency - 1
    assert IMPATIENT_PUSH.outage_failures <= failed <= at_most, "those under way end too"
    assert failed + still_open == 30
    assert pushing.value("select count(*) from crm.push_state where lease is not null") == 0
    pushing.simulator.control.clear_faults()
    assert pushing.apply(plan).changed == still_open
    assert pushing.push().changed == failed


def test_broken_organization_holds_up_nobody_else(pushing: Pushing) -> None:
    first, second = (each["organization_id"] for each in pushing.simulator.control.organizations())
    for organization_id in (first, second):
        pushing.wish(organization_id=organization_id, phone=next(NEW_PHONES))
    planner = PushPlanner(
        pushing.warehouse, key=pushing.key("plan"), capabilities=dialect_named("reference").capabilities, region="RU"
    )
    plan = planner.run(PlanScope((first, second)))
    shards = shards_of(plan, shard_size=1, max_shards=4)
    assert sorted(each["organization_id"] for each in shards) == sorted([first, second])
    let_pass(pushing.warehouse, plan.plan_id)
    pushing.execute(f"alter table crm.push add constraint broken check (organization_id <> '{second}') not valid")
    try:
        with pushing.client() as client, pytest.raises(WarehouseError, match="CheckViolation"):
            PushApply(pushing.warehouse, client, key=pushing.key("apply"), asked_by=ASKED_BY).run(
                ApplyScope(plan.plan_id, second)
            )
        assert pushing.apply(plan).changed == 1
    finally:
        pushing.execute("alter table crm.push drop constraint broken")
    assert sorted(pushing.states(plan).values()) == ["planned", "pushed"]
    with pushing.client() as client:
        job = PushApply(pushing.warehouse, client, key=pushing.key("apply"), asked_by=ASKED_BY)
        assert job.run(ApplyScope(plan.plan_id, second)).requested == 1
