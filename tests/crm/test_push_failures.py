"""What fails: retries with growing waits, quarantine, release by a person; and whom a failure does not hold up."""

import logging

import pytest

from fixtures.pushes import ASKED_BY, IMPATIENT_PUSH, NEW_PHONES, Pushing, fault, let_pass, received
from syrve.api.dialects import dialect_named
from syrve.api.errors import AuthenticationFailed, LoyaltyNotConfigured, PermissionDenied
from syrve.crm.apply import ApplyScope, PushApply
from syrve.crm.errors import PushIncomplete
from syrve.crm.plan import PlanScope, PushPlanner, shards_of
from syrve.crm.push_settings import PushSettings
from syrve.warehouse.errors import WarehouseError


def test_trap_2_missing_right_ends_the_task_at_once_and_loses_nothing(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, name="Новое")
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
    pushing.set_desired_of(person, name="Новое")
    pushing.client_settings = {"api_login": "nobody"}

    with pytest.raises(AuthenticationFailed):
        pushing.push()


def test_trap_13_organization_without_loyalty_says_so_and_keeps_its_rows_open(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, name="Новое")
    plan = pushing.plan()
    pushing.simulator.control.set_switches(organizations_without_loyalty=[pushing.organization_id])

    with pytest.raises(LoyaltyNotConfigured):
        pushing.apply(plan)

    assert pushing.states(plan) == {1: "planned"}


def test_failures_are_retried_with_growing_waits(pushing: Pushing) -> None:
    pushing.push_settings = PushSettings(retry_seconds=100)
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, name="Новое")
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
    crm_id = pushing.set_desired_of(person, name="Новое")
    fault(pushing, "create_or_update", "status", status=500)
    pushing.push()
    pushing.simulator.control.clear_faults()
    pushing.edit(crm_id, name="Другое")

    assert pushing.push().changed == 1


def refused_row(pushing: Pushing) -> tuple[int, str]:
    """A row that Syrve refuses: it wants the phone of somebody else, of whom the mirror does not know it."""
    one, other = pushing.mirrored(2)
    pushing.execute("update syrve.customer set phone = null, phone_raw = null")
    return pushing.set_desired_of(one, phone=other["phone"], name="Новое"), one["customer_id"]


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


def test_error_that_concerns_all_rows_stops_every_thread_and_keeps_what_was_acknowledged(pushing: Pushing) -> None:
    for person in pushing.mirrored(40):
        pushing.set_desired_of(person, surname="Другая")
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
        pushing.set_desired_of(person, surname="Другая")

    counts = pushing.push()

    assert (counts.rejected, counts.changed) == (1, 3)


def test_outage_ends_the_task_and_leaves_the_rest_open(pushing: Pushing) -> None:
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    for person in pushing.mirrored(30):
        pushing.set_desired_of(person, surname="Другая")
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
        pushing.set_desired(organization_id=organization_id, phone=next(NEW_PHONES))
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
