"""The demo's push: what is shown of it, and what makes the demo fail."""

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from devstack.counts import Warehouse
from devstack.desired_states import DesiredState, DesiredStateOutcome, check_push, read_outcomes
from devstack.errors import StackError
from devstack.report import push_table

DESIRED = DesiredState(
    "a category more",
    1,
    "organization",
    {"type": "id", "id": "guest"},
    {"name": "Anna", "category": "vip"},
    ("memberships", "category", "pushed", ""),
)
OUTCOME = DesiredStateOutcome(DESIRED, *DESIRED.expected)
ANSWER: dict[str, Any] = {"name": "Anna", "categories": [{"id": "vip"}, {"id": "other"}]}


def test_desired_planned_and_outcome_are_one_row_without_values() -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(push_table([OUTCOME]))
    assert isinstance(console.file, io.StringIO)
    [row] = [line for line in console.file.getvalue().splitlines() if "category" in line]
    assert row.split() == ["a", "category", "more", "memberships", "category", "pushed"]


def test_demo_fails_when_a_desired_state_has_another_outcome() -> None:
    check_push([OUTCOME], [ANSWER])
    for wrong in (
        replace(OUTCOME, state="failed"),
        replace(OUTCOME, action="nothing"),
        replace(OUTCOME, fields="category, name"),
        replace(OUTCOME, conflict="name: crm"),
    ):
        with pytest.raises(StackError, match="desired state for a category more"):
            check_push([wrong], [ANSWER])


def test_the_demo_fails_when_syrve_has_something_else_in_the_end() -> None:
    for wrong, named in (({"name": "Other"}, "name"), ({"categories": [{"id": "other"}]}, "category")):
        with pytest.raises(StackError, match=f"Syrve has another {named} than it should"):
            check_push([OUTCOME], [ANSWER | wrong])


def test_desired_state_in_no_plan_is_reported_as_nothing_planned(warehouse_dsn: str) -> None:
    warehouse = Warehouse(warehouse_dsn)
    with warehouse.cursor() as cursor:
        cursor.execute("insert into crm.customer (organization_id) values (gen_random_uuid()) returning crm_id")
        (crm_id,) = cursor.fetchone()

    [outcome] = read_outcomes(warehouse, "run", [replace(DESIRED, crm_id=crm_id)])

    assert outcome.result == ("nothing", "", "", "")
