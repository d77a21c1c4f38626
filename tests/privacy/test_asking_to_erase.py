"""What an erasure asks for before it may begin, what stops it, and what a person's export holds."""

import json
from dataclasses import replace

import pytest

from fixtures.persons import ERASURE, SURNAME, Persons
from syrve.approvals.book import ApprovalBook, RunOf
from syrve.approvals.errors import NotApproved
from syrve.approvals.rules import ApproverRules, User
from syrve.privacy.erase import content_of, erase_people, plan_erasure
from syrve.privacy.errors import ErasureHindered, UnusableRequest
from syrve.privacy.export import export_customer
from syrve.warehouse.sql_files import sql


def test_erasure_without_approval_is_refused(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.plan()

    with pytest.raises(NotApproved):
        erase_people(persons.warehouse, ERASURE)

    assert "syrve.customer" in persons.traces()


def test_approval_of_other_people_does_not_count(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.plan(run_id="erasure", phone="+79990001199")
    persons.approve()
    persons.plan()

    with pytest.raises(NotApproved):
        erase_people(persons.warehouse, ERASURE)


def test_open_hold_keeps_a_customer_from_being_erased(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.plan()
    persons.approve()
    persons.purse.do("hold", "3.00")

    with pytest.raises(ErasureHindered, match="on hold"):
        erase_people(persons.warehouse, ERASURE)

    assert "syrve.customer" in persons.traces()
    assert persons.plan("another", dry_run=True).hindered.total() == 1


def test_preview_of_an_erasure_pins_nobody(persons: Persons) -> None:
    persons.known_in_every_way()

    plan = persons.plan(dry_run=True)

    assert (plan.people, persons.rows("select count(*) from privacy.erasure")) == (1, [(0,)])


def test_export_holds_every_table_of_the_person(persons: Persons) -> None:
    persons.known_in_every_way()

    found = export_customer(persons.warehouse, persons.organization_id, persons.customer_id)

    others_too = {"sync.check_result"}  # names other customers beside this one, and says nothing of either
    assert set(persons.traces()) - others_too <= set(found)
    assert SURNAME in json.dumps(found, ensure_ascii=False)


def test_export_of_an_unknown_customer_is_refused(persons: Persons) -> None:
    with pytest.raises(UnusableRequest, match="nothing"):
        export_customer(persons.warehouse, persons.organization_id, "5f4e0004-0000-4000-8000-00000000dead")


def test_approval_of_another_dag_with_the_same_run_id_erases_nobody(persons: Persons) -> None:
    persons.plan()
    with persons.warehouse.transaction("test") as cursor:
        asked = content_of(cursor, ERASURE)
    other = ApprovalBook(persons.warehouse, RunOf("another_dag", ERASURE.run_id, "requester"))
    other.ask(asked)
    other.approve(asked, User("2", "approver"), ApproverRules((), allows_self=False))

    with pytest.raises(NotApproved):
        erase_people(persons.warehouse, ERASURE)
    assert erase_people(persons.warehouse, RunOf("another_dag", ERASURE.run_id)) == {}


def test_cleared_run_pins_nobody_whom_it_did_not_pin_before(persons: Persons) -> None:
    persons.plan()
    cleared = replace(ERASURE, doubt="it was cleared")
    named = {"organization_id": persons.organization_id}

    plan_erasure(persons.warehouse, [named | {"id": persons.customer_id}], run=cleared, region="RU", dry_run=False)
    with pytest.raises(NotApproved, match="it was cleared"):
        plan_erasure(persons.warehouse, [named | {"phone": "+79990001198"}], run=cleared, region="RU", dry_run=False)

    assert persons.rows("select count(*) from privacy.erasure") == [(1,)]


NOBODY_IN_PARTICULAR = {
    f"{schema}.{table}"
    for schema, tables in {
        "crm": "field_policy push_plan_summary",
        "sync": (
            "alert approval approval_event backfill breaker breaker_count call_budget call_budget_move "
            "check_result coupon_watch freshness_kept order_bookmark planned_content planning_start refresh_evidence refresh_fit "
            "refresh_policy run signal_day signal_flow signal_precision signal_secret"
        ),
        "syrve": "coupon_series daily_balance organization wallet_type",
        "wallet": (
            "campaign_version epoch fence fence_lift finding_count finding_evaluation finding_told "
            "hold_ended_again ledger notification order_in_doubt released_payment touched"
        ),
    }.items()
    for table in tables.split()
}
"""Tables about no one person, and those that only repeat what others hold of one, or name one in an example or a question to staff."""


def test_every_table_is_searched_for_an_export_or_is_of_nobody(persons: Persons) -> None:
    with persons.warehouse.transaction("test") as cursor:
        cursor.execute(sql("privacy/tables.sql"))
        searched = {name for name, _ in cursor.fetchall()}
    tables = persons.rows(
        "select format('%I.%I', nspname, relname) from pg_class inner join pg_namespace on relnamespace = pg_namespace.oid "
        "where nspname in ('syrve', 'sync', 'crm', 'wallet') and relkind in ('r', 'p') and not relispartition"
    )

    assert {name for (name,) in tables} - searched == NOBODY_IN_PARTICULAR


def test_export_holds_what_names_the_person_otherwise(persons: Persons) -> None:
    persons.known_in_every_way()
    values = {"o": persons.organization_id, "p": persons.phone}
    written = f"8 ({persons.phone[2:5]}) {persons.phone[5:]}"
    for place, activated_by in enumerate((persons.phone, written, "till 3")):
        persons.execute(
            "insert into syrve.coupon (organization_id, number, series_id, activated_by, verdict, checked_at) "
            "values (%(o)s, %(n)s, gen_random_uuid(), %(a)s, 'used', now())",
            values | {"n": str(place), "a": activated_by},
        )
    persons.execute(
        "with known as (insert into wallet.finding (rule, subject, organization_id, customer_id, severity, first_seen_at, last_seen_at) "
        "select rule, rule, %(o)s, case rule when 'a' then %(c)s::uuid end, 'low', now(), now() from unnest('{a,b}'::text[]) as rule "
        "returning finding_id) insert into wallet.finding_version (finding_id, version, as_of, status, severity, reason) "
        "select finding_id, 1, now(), 'open', 'low', 'r' from known",
        values | {"c": persons.customer_id},
    )
    persons.execute(
        "update wallet.operation set order_id = 'of the person'; "
        "insert into wallet.payment_order (organization_id, order_id, state, state_at) "
        "select %(o)s, order_id, 'open', now() from unnest('{of the person,of another}'::text[]) as order_id",
        values,
    )

    found = export_customer(persons.warehouse, persons.organization_id, persons.customer_id)

    assert {row["activated_by"] for row in found["syrve.coupon"]} == {persons.phone, written}
    assert len(found["wallet.finding_version"]) == len(found["wallet.finding"]) == 1
    for table in ("wallet.payment_order", "wallet.payment_order_version"):
        assert [row["order_id"] for row in found[table]] == ["of the person"]
    assert len(found["sync.signal"]) == 3, "by both keys, by the phone alone, and by where one led"
