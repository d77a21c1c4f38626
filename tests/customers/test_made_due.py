"""Whoever says that something happened to a customer makes them due: the CRM by an edit, a hold or a push by name, a form by force."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fixtures.chains import (
    ORGANIZATION,
    OTHER_ORGANIZATION,
    Chain,
    add_identities,
    by_card,
    by_id,
    by_phone,
    customer,
    id_of,
)
from syrve.customers.plan import plan_pull
from syrve.customers.pull import PullPoint
from syrve.warehouse.sql_files import sql

CRM = "insert into crm.customer (organization_id, customer_id, phone, name) values (%s, %s, '+79750000001', 'Ян')"
MANAGED = {
    "organization_id": f"'{OTHER_ORGANIZATION}'",
    "phone": "'+79750000009'",
    "name": "'Ия'",
    "surname": "'Ли'",
    "middle_name": "'Б'",
    "email": "'a@example.com'",
    "birthday": "'1990-01-02'",
    "sex": "'female'",
    "receives_order_status": "true",
    "receives_promo": "false",
}


@pytest.fixture
def edited(chain: Chain) -> Callable[[str], bool]:
    """Runs an update of the one row of crm.customer and tells whether it counts as an edit."""
    chain.execute(CRM, ORGANIZATION, id_of(1))

    def run(assignment: str) -> bool:
        before = chain.value("select edited_at from crm.customer")
        chain.execute(f"update crm.customer set {assignment}")
        after = chain.value("select edited_at from crm.customer")
        assert after >= before
        return bool(after > before)

    return run


@pytest.mark.parametrize("column", MANAGED)
def test_change_of_a_managed_field_is_an_edit_and_writing_the_same_again_is_none(
    edited: Callable[[str], bool], column: str
) -> None:
    assert edited(f"{column} = {MANAGED[column]}")
    assert not edited(f"{column} = {MANAGED[column]}")


def test_writing_the_id_back_or_the_same_row_again_is_no_edit(edited: Callable[[str], bool]) -> None:
    assert not edited(f"customer_id = '{id_of(2)}'")
    assert not edited("name = name, phone = phone")
    assert not edited("edited_at = edited_at"), "the push does not come back as an edit"


def plan(chain: Chain) -> int:
    return plan_pull(
        chain.warehouse, visible=[ORGANIZATION], wanted=[], force=False, shard_size=10, max_shards=1, limit=None
    ).due


def test_customer_whom_the_crm_edits_is_due_in_the_next_plan_once(chain: Chain) -> None:
    chain.execute(CRM, ORGANIZATION, id_of(1))
    chain.know([by_phone(1), by_id(1)], customer(1))
    chain.know([by_phone(2)], customer(2))
    chain.now = datetime.now(UTC)
    chain.pull(timedelta())
    assert plan(chain) == 0

    chain.execute("update crm.customer set name = 'Ия'")
    assert plan(chain) == 1, "under their phone, whose answer counts for the id"
    chain.now = datetime.now(UTC)
    assert chain.pull_due().requested == 1
    assert plan(chain) == 0

    chain.execute("update crm.customer set customer_id = customer_id, name = name")
    assert plan(chain) == 0


def make_due(chain: Chain, *numbers: int, active_for_seconds: int = 0) -> None:
    with chain.warehouse.transaction("make due") as cursor:
        cursor.execute(
            sql("roster/make_due.sql"),
            {
                "organization_id": ORGANIZATION,
                "customer_ids": [id_of(number) for number in numbers],
                "active_for_seconds": active_for_seconds,
            },
        )


@pytest.fixture
def three(chain: Chain) -> Chain:
    """Three guests, one of them known by phone and card, none due before tomorrow."""
    chain.know([by_phone(1), by_card("1")], customer(1))
    chain.know([by_phone(2)], customer(2))
    chain.know([by_phone(3, OTHER_ORGANIZATION)], customer(1))
    chain.pull()
    chain.execute(
        "update sync.roster set due_at = now() + interval '1 day', customer_id = coalesce(customer_id, %s)", id_of(1)
    )
    return chain


DUE = "select identity_value, active_until is not null from sync.roster where due_at <= now() order by 1"


def test_who_something_happened_to_is_due_under_every_identity_and_active_where_asked(three: Chain) -> None:
    make_due(three, 1)
    assert three.rows(DUE) == [(by_phone(1).value, False), ("1", False)]

    make_due(three, 1, active_for_seconds=600)
    until = three.value("select max(active_until) - now() from sync.roster")
    assert timedelta(minutes=9) < until <= timedelta(minutes=10)
    assert three.rows(DUE) == [(by_phone(1).value, True), ("1", True)]


def test_who_is_active_or_due_already_is_not_put_off(three: Chain) -> None:
    make_due(three, 1, active_for_seconds=6000)
    three.execute("update sync.roster set due_at = now() - interval '1 hour'")
    before = three.rows("select due_at, active_until from sync.roster order by 1, 2")

    make_due(three, 1, active_for_seconds=60)

    assert three.rows("select due_at, active_until from sync.roster order by 1, 2") == before


def test_who_is_made_due_while_being_looked_up_is_looked_up_again(three: Chain) -> None:
    """The answer on its way may be older than the hold, and would put the next look-up off."""
    make_due(three, 1, 2)
    three.now = datetime.now(UTC)

    def hold(point: PullPoint) -> None:
        if point is PullPoint.LOOKED_UP:
            make_due(three, 1, active_for_seconds=600)

    assert three.pull_due(on_point=hold).requested == 3
    assert three.rows(DUE) == [(by_phone(1).value, True), ("1", True)]
    assert three.rows("select count(*) from sync.roster where lease is not null") == [(0,)]

    three.now = datetime.now(UTC)
    assert three.pull_due(tier="active").requested == 2
    assert three.rows(DUE) == []


def test_every_identity_of_a_plan_with_force_is_due(three: Chain) -> None:
    add_identities(three.warehouse, [by_phone(7)])
    options: dict[str, Any] = {"shard_size": 10, "max_shards": 1, "limit": None, "wanted": []}

    assert plan_pull(three.warehouse, visible=[ORGANIZATION], force=False, **options).due == 1
    assert plan_pull(three.warehouse, visible=[ORGANIZATION], force=True, **options).due == 4
