"""What the DAGs' role may do and what it may not, logged in as such a role."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pandas as pd
import pytest

from fixtures.pulls import Syncing
from fixtures.pushes import NEW_PHONES, Pushing
from syrve.api.bulk import BulkLookup
from syrve.api.client import SyrveClient
from syrve.crm.imports import CrmImport
from syrve.crm.retention import Pruned, prune_push
from syrve.customers.backfill import Backfill, BackfillChoice, finish_backfill
from syrve.customers.claims import PullScope
from syrve.customers.pull import CustomerPull
from syrve.organizations import write_organizations
from syrve.warehouse.database import Warehouse
from syrve.warehouse.errors import WarehouseConfigError
from syrve.warehouse.migrate import migrate
from syrve.warehouse.runs import TaskKey


@pytest.fixture(scope="module")
def loader_login(make_login: Callable[[str], str]) -> str:
    return make_login("syrve_loader")


@pytest.fixture
def loader(lasting_warehouse: Warehouse, loader_login: str) -> Warehouse:
    return as_role(lasting_warehouse, loader_login)


def as_role(warehouse: Warehouse, name: str) -> Warehouse:
    return Warehouse(warehouse.url.set(username=name))


def refused(warehouse: Warehouse, statement: str) -> str:
    with pytest.raises(WarehouseConfigError) as caught, warehouse.transaction("do something") as cursor:
        cursor.execute(statement)
    return str(caught.value)


def test_loader_can_do_everything_that_a_pull_does(syncing: Syncing, loader_login: str) -> None:
    loader = as_role(syncing.warehouse, loader_login)
    as_loader = replace(syncing, warehouse=loader)
    customers = as_loader.customers(30)
    as_loader.add(phone=[each["phone"] for each in customers] + ["no phone"])
    with SyrveClient(syncing.config) as client:
        write_organizations(loader, client.organizations(), time_zone="Europe/Moscow", account="0123456789ab")

    counts = as_loader.pull()

    assert counts.changed == len(customers)
    assert syncing.value("select count(*) from syrve.customer") == len(customers)
    assert syncing.value("select count(*) from sync.reject") == 1
    assert syncing.value("select count(*) from syrve.organization") == 2


def test_loader_can_do_everything_that_a_backfill_does(syncing: Syncing, loader_login: str) -> None:
    loader = as_role(syncing.warehouse, loader_login)
    key, own = TaskKey("run", "dag.plan"), [syncing.organization_id]
    rows = [pd.DataFrame({"phone": [syncing.customers(1)[0]["phone"], "no phone"]}, dtype="object")]
    named = Backfill(loader, BackfillChoice(own, own, frames=rows), key=key, region="RU")

    assert named.estimate().total == 1
    plan = named.plan(shard_size=10, max_shards=1)
    with BulkLookup(syncing.config) as bulk:
        pull = CustomerPull(loader, bulk, key=key, region="RU")
        counts = pull.run(PullScope(own[0], backfill_id=plan.backfill_id))
    whole = Backfill(loader, BackfillChoice(own, own, force=True), key=TaskKey("next", "dag.plan"), region="RU")

    assert (counts.found, whole.plan(shard_size=10, max_shards=1).total) == (1, 1)
    assert finish_backfill(loader, "next") is not None


def test_loader_can_do_everything_that_a_push_does(pushing: Pushing, loader_login: str) -> None:
    loader = replace(pushing, warehouse=as_role(pushing.warehouse, loader_login))
    [person] = pushing.mirrored()
    rows = [
        {"customer_id": person["customer_id"], "name": "Новое", "card_track": "LOADER7"},
        {"phone": next(NEW_PHONES), "name": "Новый"},
        {"phone": "nobody"},
    ]
    job = CrmImport(loader.warehouse, key=loader.key("import"), region="RU", organization_id=pushing.organization_id)

    assert job.run([pd.DataFrame(rows, dtype="object")]).rejected == 1
    assert loader.push().changed == 2
    loader.look_up()
    assert loader.plan(release_blocked=True).size == 0


DDL = (
    "create table syrve.another (id integer)",
    "create table sync.another (id integer)",
    "create schema another",
    "drop table syrve.customer",
    "alter table syrve.customer add column another text",
    "truncate syrve.customer",
    "create index another on sync.roster (source)",
    "drop schema sync cascade",
    "comment on table syrve.customer is 'another'",
)


@pytest.mark.parametrize("statement", DDL)
def test_loader_changes_no_structure(loader: Warehouse, statement: str) -> None:
    assert "InsufficientPrivilege (42501)" in refused(loader, statement)


CRM_WRITES = (
    "delete from crm.customer",
    "delete from crm.customer_card",
    "update crm.field_policy set policy = 'crm' where field = 'name'",
    "update crm.push set outcome = 'acknowledged'",
    "delete from crm.push",
)


@pytest.mark.parametrize("statement", CRM_WRITES)
def test_loader_changes_no_desired_state_policy_or_attempt(loader: Warehouse, statement: str) -> None:
    with loader.transaction("read") as cursor:
        cursor.execute("select count(*) from crm.customer, crm.push, crm.field_policy")

    assert "InsufficientPrivilege (42501)" in refused(loader, statement)


def test_loader_cannot_migrate_and_is_told_who_can(loader: Warehouse) -> None:
    with pytest.raises(WarehouseConfigError, match="migrations the owner's role"):
        migrate(loader.url)


def test_ops_resolves_a_reject_and_changes_nothing_else(warehouse: Warehouse, make_login: Callable[[str], str]) -> None:
    with warehouse.transaction("reject") as cursor:
        cursor.execute(
            "insert into sync.reject (run_id, entity, identity, stage, reason) values ('r', 'e', 'i', 's', 'why')"
        )
    ops = as_role(warehouse, make_login("syrve_ops"))

    with ops.transaction("resolve") as cursor:
        cursor.execute("update sync.reject set resolved_at = now() where resolved_at is null")
        assert cursor.rowcount == 1
    assert "42501" in refused(ops, "update sync.reject set reason = 'another'")
    assert "42501" in refused(ops, "delete from sync.reject")
    assert "42501" in refused(ops, "select 1 from syrve.customer")


def test_ops_decides_conflicts_and_writes_no_desired_state(
    warehouse: Warehouse, make_login: Callable[[str], str]
) -> None:
    with warehouse.transaction("fill") as cursor:
        cursor.execute(
            """
            insert into crm.conflict (crm_id, organization_id, customer_id, field, policy, outcome)
            values (1, gen_random_uuid(), gen_random_uuid(), 'name', 'ask', 'waits');
            insert into crm.push_blocked (crm_id, organization_id, stage, reason, times, edited_at, run_id)
            values (1, gen_random_uuid(), 'apply', 'why', 3, now(), 'r')
            """
        )
    ops = as_role(warehouse, make_login("syrve_ops"))

    with ops.transaction("decide and release") as cursor:
        cursor.execute("update crm.conflict set decision = 'crm' where conflict_id = 1")
        cursor.execute("update crm.field_policy set policy = 'crm' where field = 'name'")
        cursor.execute("select crm.retry_row(1), crm.retry_row(1)")
        assert cursor.fetchall() == [(True, False)]
    assert "42501" in refused(ops, "delete from crm.push_blocked")
    assert "42501" in refused(ops, "update crm.conflict set crm_value = 'another'")
    assert "42501" in refused(ops, "update crm.customer set name = 'another'")


CRM_WRITES_BY_HAND = """
    insert into crm.customer (organization_id, phone, name, receives_promo) values (%(organization_id)s, %(phone)s, 'Ivan', true);
    insert into crm.customer_card (crm_id, track, number) select crm_id, '1234567890', '000123' from crm.customer where phone = %(phone)s;
    insert into crm.customer_category (crm_id, category_id) select crm_id, %(category_id)s from crm.customer where phone = %(phone)s;
    update crm.customer_category set wanted = false where category_id = %(category_id)s;
    delete from crm.customer_category where category_id = %(category_id)s;
    update crm.customer set email = 'ivan@example.com', birthday = '1990-05-15' where phone = %(phone)s
"""


def test_crm_writes_desired_states_and_sees_only_their_outcome(
    pushing: Pushing, make_login: Callable[[str], str]
) -> None:
    crm = as_role(pushing.warehouse, make_login("syrve_crm"))
    values = {"organization_id": pushing.organization_id, "phone": next(NEW_PHONES), "category_id": str(uuid4())}
    with crm.transaction("write as a CRM does") as cursor:
        cursor.execute(CRM_WRITES_BY_HAND, values)

    assert pushing.push().changed == 1

    assert {operation for operation, _ in pushing.outcomes()} == {"customer_info", "create_or_update", "card_add"}
    with crm.transaction("read as a CRM does") as cursor:
        cursor.execute("select customer_id is not null, memberships_edited_at is not null from crm.customer")
        assert cursor.fetchall() == [(True, True)]
        cursor.execute("select outcome from crm.push where operation = 'create_or_update'")
        assert cursor.fetchall() == [("acknowledged",)]
        for table in ("remote_change", "conflict", "push_blocked", "field_policy", "push_plan_summary"):
            cursor.execute(f"select count(*) from crm.{table}")
        cursor.execute("delete from crm.customer")
        assert cursor.rowcount == 1
    for statement in (
        "update crm.customer set edited_at = now() + interval '1 year'",
        "update crm.customer set memberships_edited_at = null",
        "update crm.conflict set decision = 'crm'",
        "update crm.field_policy set policy = 'crm'",
        "delete from crm.push_blocked",
        "delete from crm.push",
        "select 1 from crm.push_state",
        "select 1 from syrve.customer",
        "select crm.prune_push(30, 365)",
    ):
        assert "42501" in refused(crm, statement), statement


def test_crm_learns_what_syrve_has_of_whom_it_names(pushing: Pushing, make_login: Callable[[str], str]) -> None:
    (person,) = pushing.people()
    pushing.simulator.control.change_customer(
        pushing.organization_id, person["customer_id"], fields={"surname": "Known-At-Syrve"}
    )
    pushing.add(id=[person["customer_id"]])
    pushing.pull()
    crm = as_role(pushing.warehouse, make_login("syrve_crm"))
    with crm.transaction("guess a phone") as cursor:
        cursor.execute(
            "insert into crm.customer (organization_id, phone, surname) values (%s, %s, 'Guessed')",
            (pushing.organization_id, person["phone"]),
        )
    pushing.plan(is_dry_run=True)

    with crm.transaction("read the outcome") as cursor:
        cursor.execute("select syrve_value from crm.conflict where field = 'surname'")
        assert "Known-At-Syrve" in str(cursor.fetchall())


def test_loader_prunes_by_the_function_alone(pushing: Pushing, loader_login: str) -> None:
    loader = as_role(pushing.warehouse, loader_login)
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, middle_name="Новое")
    pushing.push()
    pushing.execute("update crm.push_plan_summary set planned_at = now() - interval '31 days'")

    assert prune_push(loader) == Pruned(plan_rows=1)
    assert "42501" in refused(loader, "delete from crm.push")


def test_analyst_sees_no_person_in_the_mirror(lasting_warehouse: Warehouse, make_login: Callable[[str], str]) -> None:
    analyst = as_role(lasting_warehouse, make_login("syrve_analyst"))

    assert "42501" in refused(analyst, "select phone from syrve.customer")
