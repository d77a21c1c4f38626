"""Who wins a field that both sides changed: the policies, a person's decision, and consent."""

from typing import Any

import pytest

from fixtures.pushes import Pushing, agreed_on, conflicts, remote_changes


def policy(pushing: Pushing, field: str, name: str) -> None:
    pushing.execute("update crm.field_policy set policy = %s where field = %s", name, field)


@pytest.fixture(autouse=True)
def usual_policies(pushing: Pushing) -> Any:
    before = pushing.rows("select field, policy from crm.field_policy")
    yield
    for field, name in before:
        policy(pushing, field, name)


@pytest.mark.parametrize(("name", "outcome"), [("crm", "crm"), ("syrve", "syrve"), ("newest", "crm"), ("ask", "waits")])
def test_field_that_both_changed_goes_by_its_policy(pushing: Pushing, name: str, outcome: str) -> None:
    person, crm_id = agreed_on(pushing, name="Было")
    policy(pushing, "name", name)
    pushing.change_in_syrve(person, name="Касса")
    pushing.look_up()
    pushing.edit(crm_id, name="Маркетинг")

    plan = pushing.plan()

    assert conflicts(pushing) == [("name", "Маркетинг", "Касса", "Было", outcome)]
    assert pushing.changes(plan) == ({crm_id: {"name": ("Касса", "Маркетинг")}} if outcome == "crm" else {})
    assert plan.asking == (outcome == "waits")


def test_newest_keeps_what_syrve_changed_later(pushing: Pushing) -> None:
    person, crm_id = agreed_on(pushing, name="Было")
    pushing.edit(crm_id, name="Маркетинг")
    pushing.change_in_syrve(person, name="Касса")
    pushing.look_up()

    assert pushing.plan().size == 0
    assert conflicts(pushing) == [("name", "Маркетинг", "Касса", "Было", "syrve")]
    pushing.edit(crm_id, name="Маркетинг опять")
    assert pushing.push().changed == 1, "a later edit is the newest"
    assert pushing.in_syrve(person["customer_id"]).name == "Маркетинг опять"
    pushing.look_up()
    pushing.plan()
    assert conflicts(pushing) == []


@pytest.mark.parametrize(("decision", "kept"), [("crm", "Маркетинг"), ("syrve", "Касса")])
def test_ask_waits_for_a_person_and_does_what_they_say(pushing: Pushing, decision: str, kept: str) -> None:
    person, crm_id = agreed_on(pushing, name="Было")
    policy(pushing, "name", "ask")
    pushing.change_in_syrve(person, name="Касса")
    pushing.look_up()
    pushing.edit(crm_id, name="Маркетинг")
    assert pushing.push().requested == 0
    assert pushing.plan().asking == 1, "it goes on waiting"

    pushing.execute("update crm.conflict set decision = %s where closed_at is null", decision)
    pushing.push()

    assert pushing.in_syrve(person["customer_id"]).name == kept


def test_decision_holds_only_for_the_values_that_the_person_saw(pushing: Pushing) -> None:
    person, crm_id = agreed_on(pushing, name="Было")
    policy(pushing, "name", "ask")
    pushing.change_in_syrve(person, name="Касса")
    pushing.look_up()
    pushing.edit(crm_id, name="Маркетинг")
    pushing.plan()
    pushing.execute("update crm.conflict set decision = 'crm' where closed_at is null")
    pushing.edit(crm_id, name="Другое")

    assert pushing.plan().size == 0
    assert conflicts(pushing) == [("name", "Другое", "Касса", "Было", "waits")]


def test_what_syrve_had_when_first_looked_up_has_no_age_and_counts_as_older(pushing: Pushing) -> None:
    [person] = pushing.people()
    pushing.change_in_syrve(person, name="Касса")
    crm_id = pushing.set_desired_of(person, name="Маркетинг")
    pushing.add(id=[person["customer_id"]])
    pushing.pull()

    assert pushing.changes(pushing.plan()) == {crm_id: {"name": ("Касса", "Маркетинг")}}


def test_nothing_agreed_yet_and_different_goes_by_the_policy_and_empty_is_filled(pushing: Pushing) -> None:
    [person] = pushing.people()
    pushing.change_in_syrve(person, name="Касса", email=None)
    pushing.add(id=[person["customer_id"]])
    pushing.pull()
    policy(pushing, "name", "syrve")
    crm_id = pushing.set_desired_of(person, name="Маркетинг", email="new@example.com")

    plan = pushing.plan()

    assert pushing.changes(plan) == {crm_id: {"email": (None, "new@example.com")}}
    assert conflicts(pushing) == [("name", "Маркетинг", "Касса", None, "syrve")]


@pytest.mark.parametrize(("wanted", "has", "sent"), [(False, True, True), (True, False, False), (True, None, True)])
def test_consent_that_was_never_agreed_goes_to_the_narrower(
    pushing: Pushing, wanted: bool, has: bool | None, sent: bool
) -> None:
    [person] = pushing.people()
    pushing.change_in_syrve(person, shouldReceivePromoActionsInfo=has)
    pushing.add(id=[person["customer_id"]])
    pushing.pull()
    pushing.set_desired_of(person, receives_promo=wanted)

    assert pushing.plan().fields == ({"receives_promo": 1} if sent else {})


def test_consent_withdrawn_at_the_till_is_never_widened_by_the_older_yes_of_the_crm(pushing: Pushing) -> None:
    person, crm_id = agreed_on(pushing, receives_promo=False, name="Было")
    pushing.edit(crm_id, receives_promo=True)
    assert pushing.push().changed == 1
    pushing.look_up()
    assert pushing.plan().size == 0
    pushing.change_in_syrve(person, shouldReceivePromoActionsInfo=False)
    pushing.look_up()
    pushing.edit(crm_id, name="Стало")

    plan = pushing.plan()

    assert plan.fields == {"name": 1}
    pushing.apply(plan)
    assert pushing.sent()[-1] == {"id": person["customer_id"], "name": "Стало"}
    assert remote_changes(pushing) == [("receives_promo", "true", "false")]


def test_consent_that_the_crm_gives_anew_is_pushed(pushing: Pushing) -> None:
    person, crm_id = agreed_on(pushing, receives_promo=False)
    pushing.edit(crm_id, receives_promo=True)

    assert pushing.push().changed == 1
    assert pushing.in_syrve(person["customer_id"]).receives_promo is True


@pytest.mark.parametrize(("field", "name"), [("receives_promo", "crm"), ("name", "narrower"), ("card", "newest")])
def test_policy_that_makes_no_sense_is_refused(pushing: Pushing, field: str, name: str) -> None:
    with pytest.raises(Exception, match="CheckViolation"):
        policy(pushing, field, name)
