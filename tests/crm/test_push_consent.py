"""Consent: a no of the CRM is sent, a yes never goes over a newer no, and no acknowledgement or decision is lost beside a plan."""

from typing import Any

import pytest

import syrve.crm.plan as plan_module
from fixtures.pushes import Pushing
from syrve.warehouse.sql_files import sql

CONSENT = "shouldReceivePromoActionsInfo"


def consent(pushing: Pushing, person: Any) -> bool | None:
    found: bool | None = pushing.in_syrve(person["customer_id"]).receives_promo
    return found


def set_in_syrve(pushing: Pushing, person: Any, value: bool | None) -> None:
    pushing.change_in_syrve(person, **{CONSENT: value})


@pytest.mark.parametrize("now", [True, None])
@pytest.mark.parametrize("agreed", [True, False])
def test_no_of_the_crm_is_sent_against_anything_but_a_no(pushing: Pushing, agreed: bool, now: bool | None) -> None:
    [person] = pushing.people()
    set_in_syrve(pushing, person, agreed)
    pushing.add(id=[person["customer_id"]])
    pushing.pull()
    crm_id = pushing.set_desired_of(person, receives_promo=agreed)
    pushing.plan()
    set_in_syrve(pushing, person, now)
    pushing.look_up()
    pushing.edit(crm_id, receives_promo=False)

    pushing.push()

    assert consent(pushing, person) is False
    pushing.look_up()
    assert pushing.plan().size == 0


def test_yes_is_not_sent_over_a_no_that_the_mirror_has_not_seen(pushing: Pushing) -> None:
    [person] = pushing.people()
    set_in_syrve(pushing, person, None)
    pushing.add(id=[person["customer_id"]])
    pushing.pull()
    pushing.set_desired_of(person, receives_promo=True)
    set_in_syrve(pushing, person, False)  # at the till, after the look-up

    counts = pushing.push()

    assert (counts.changed, counts.unchanged) == (0, 1)
    assert pushing.sent() == []
    pushing.pull()
    pushing.push()
    assert consent(pushing, person) is False


def apply_during(pushing: Pushing, monkeypatch: pytest.MonkeyPatch, plan: Any, before: str) -> None:
    """Apply a plan while the next one is made, just before that runs the file."""
    done: list[int] = []

    def during(name: str) -> str:
        if name == before and not done:
            done.append(pushing.apply(plan).changed)
        return sql(name)

    with monkeypatch.context() as patch:
        patch.setattr(plan_module, "sql", during)
        pushing.plan()
    assert done == [1]


@pytest.mark.parametrize("before", ["same", "agree", "settle"])
def test_acknowledgement_beside_a_plan_is_not_lost(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    [person] = pushing.people()
    set_in_syrve(pushing, person, False)
    pushing.add(id=[person["customer_id"]])
    pushing.pull()
    crm_id = pushing.set_desired_of(person, receives_promo=False)
    pushing.plan()
    pushing.edit(crm_id, receives_promo=True)
    plan = pushing.plan()

    apply_during(pushing, monkeypatch, plan, f"crm/plan/{before}.sql")

    assert pushing.value("select agreed ->> 'receives_promo' from crm.push_state") == "true"
    set_in_syrve(pushing, person, False)  # the guest's newer no
    pushing.look_up()
    pushing.push()
    assert consent(pushing, person) is False


def test_row_whose_agreement_moved_since_the_plan_is_not_sent(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.set_desired_of(person, name="Имя")
    plan = pushing.plan()
    pushing.execute("update crm.push_state set agreed_version = agreed_version + 1")

    pushing.apply(plan)

    assert pushing.states(plan) == {crm_id: "stale"}
    assert pushing.sent() == []


def test_decision_made_while_a_plan_waits_counts(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, name="Из CRM")
    plan = pushing.plan()
    pushing.execute("update crm.conflict set decision = 'syrve' where closed_at is null")

    pushing.apply(plan)

    assert pushing.sent() == []
    assert pushing.value("select reason from crm.push_plan") == "a person has decided for Syrve since it was planned"
    assert pushing.plan().size == 0


def test_look_up_before_a_push_is_no_answer_to_it(pushing: Pushing) -> None:
    """A worker whose clock is ahead has looked the customer up before the push, and dated its answer after it."""
    [person] = pushing.mirrored()
    pushing.execute("update syrve.customer set fetched_at = now() + interval '1 minute'")
    pushing.execute("update sync.roster set checked_at = now() + interval '1 minute'")
    pushing.set_desired_of(person, name="Новое")
    pushing.push()

    plan = pushing.plan()

    assert plan.unshown == 0
    assert pushing.rows("select * from crm.remote_change") == []


# newest


def test_visit_makes_syrve_no_newer(cloud_pushing: Pushing) -> None:
    [person] = cloud_pushing.mirrored()
    cloud_pushing.set_desired_of(person, name="Имя из CRM")
    cloud_pushing.change_in_syrve(person, lastProcessedOrderDate="2026-11-20 12:00:00.000", email="new@example.com")
    cloud_pushing.look_up()

    assert cloud_pushing.plan().fields == {"name": 1}
    changed = cloud_pushing.value("select field_changed_at from syrve.customer")
    assert list(changed) == ["email"]


def test_visits_write_no_version_of_the_profile(cloud_pushing: Pushing) -> None:
    [person] = cloud_pushing.mirrored()
    for day in range(1, 4):
        cloud_pushing.change_in_syrve(person, lastProcessedOrderDate=f"2026-11-{day:02d} 12:00:00.000")
        cloud_pushing.look_up()

    assert cloud_pushing.value("select count(*) from syrve.customer_version") == 0
    assert cloud_pushing.value("select extra ->> 'lastProcessedOrderDate' from syrve.customer").startswith("2026-11-03")
    assert not cloud_pushing.value("select extra ? 'lastProcessedOrderDate' from syrve.customer_history")
