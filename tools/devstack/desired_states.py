"""A CRM's part in the demo: four desired states by plain SQL, the outcome of their push, and what the simulated Syrve has in the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from devstack.counts import Warehouse
from devstack.errors import StackError
from devstack.syrve import signed_in

NEW_PHONE, OTHER_PHONE = "+79769990001", "+79769990002"
NEW_NAME = "Demo"

GUEST = """
    select organization_id::text, customer_id::text, name, phone from syrve.customer
    where name is not null and phone is not null and not is_deleted
    order by organization_id, customer_id offset %s limit 1
"""
CATEGORY_FOR = """
    select category_id::text from syrve.customer_category as known
    where organization_id = %(organization_id)s and not exists (
        select 1 from syrve.customer_category as own
        where own.organization_id = known.organization_id and own.customer_id = %(customer_id)s and own.category_id = known.category_id
    )
    order by category_id limit 1
"""
OUTCOME = """
    select
        coalesce(planned.action, 'nothing'),
        coalesce((select string_agg(distinct split_part(key, ':', 1), ', ') from jsonb_object_keys(planned.changes) as key), ''),
        coalesce(planned.state, ''),
        coalesce((
            select string_agg(conflict.field || ': ' || conflict.outcome, ', ') from crm.conflict
            where conflict.crm_id = desired.crm_id and conflict.closed_at is null
        ), '')
    from crm.customer as desired
    left join crm.push_plan as planned
        on desired.crm_id = planned.crm_id
        and planned.plan_id = (select max(plan_id) from crm.push_plan_summary where run_id = %(run_id)s)
    where desired.crm_id = %(crm_id)s
"""


@dataclass(frozen=True)
class DesiredState:
    """A row of the CRM; `key` is how Syrve is asked about the guest, `wanted` what it must answer after the push."""

    title: str
    crm_id: int
    organization_id: str
    key: dict[str, str]
    wanted: dict[str, str]
    expected: tuple[str, str, str, str]


@dataclass(frozen=True)
class DesiredStateOutcome:
    """What was planned for a desired state (action, names of fields), the outcome, and its open conflicts."""

    desired: DesiredState
    action: str
    fields: str
    state: str
    conflict: str

    @property
    def result(self) -> tuple[str, str, str, str]:
        """The outcome without the desired state."""
        return self.action, self.fields, self.state, self.conflict


def write_desired_states(warehouse: Warehouse) -> list[DesiredState]:
    """Write four desired states in one transaction: a new guest, another name, a category more, another phone."""
    with warehouse.cursor() as cursor:
        guests = []
        for offset in range(3):
            cursor.execute(GUEST, (offset,))
            guests.append(cursor.fetchone())
        (organization_id, *_), named, member, phoned = guests[0], *guests
        cursor.execute(CATEGORY_FOR, {"organization_id": member[0], "customer_id": member[1]})
        (category_id,) = cursor.fetchone()
        return [
            DesiredState(
                "a new guest",
                _insert(cursor, organization_id=organization_id, phone=NEW_PHONE, name=NEW_NAME, receives_promo=False),
                organization_id,
                {"type": "phone", "phone": NEW_PHONE},
                {"name": NEW_NAME},
                ("create", "name, phone, receives_promo", "pushed", ""),
            ),
            DesiredState(
                "another name",
                _insert(cursor, organization_id=named[0], customer_id=named[1], name=NEW_NAME),
                named[0],
                {"type": "id", "id": named[1]},
                {"name": NEW_NAME, "phone": named[3]},
                ("update", "name", "pushed", "name: crm"),
            ),
            DesiredState(
                "a category more",
                _insert_member(cursor, member, category_id),
                member[0],
                {"type": "id", "id": member[1]},
                {"name": member[2], "category": category_id},
                ("memberships", "category", "pushed", ""),
            ),
            DesiredState(
                "another phone",
                _insert(cursor, organization_id=phoned[0], customer_id=phoned[1], phone=OTHER_PHONE),
                phoned[0],
                {"type": "id", "id": phoned[1]},
                {"phone": phoned[3]},
                ("nothing", "", "", "phone: waits"),
            ),
        ]


def read_outcomes(
    warehouse: Warehouse, run_id: str, desired_states: Sequence[DesiredState]
) -> list[DesiredStateOutcome]:
    """Read the outcomes of a push of the desired states."""
    outcomes = []
    with warehouse.cursor() as cursor:
        for desired in desired_states:
            cursor.execute(OUTCOME, {"run_id": run_id, "crm_id": desired.crm_id})
            outcomes.append(DesiredStateOutcome(desired, *cursor.fetchone()))
    return outcomes


def ask_syrve(base_url: str, api_login: str, desired_states: Sequence[DesiredState]) -> list[dict[str, Any]]:
    """Look up the guest of each desired state in Syrve, as any client would; returns its answers."""
    with signed_in(base_url, api_login) as syrve:
        path = "loyalty/iiko/customer/info"
        return [
            syrve.ask(path, {"organizationId": desired.organization_id} | desired.key) for desired in desired_states
        ]


def check_push(outcomes: Sequence[DesiredStateOutcome], answers: Sequence[dict[str, Any]]) -> None:
    """Raise StackError if a desired state was pushed in another way than expected, or Syrve does not have it afterwards."""
    for outcome, answer in zip(outcomes, answers, strict=True):
        desired = outcome.desired
        if outcome.result != desired.expected:
            raise StackError(
                f"The desired state for {desired.title} came to {outcome.result}, not to {desired.expected}"
            )
        categories = [category["id"] for category in answer["categories"]]
        wrong = [
            name
            for name, value in desired.wanted.items()
            if not (value in categories if name == "category" else answer[name] == value)
        ]
        if wrong:
            raise StackError(
                f"After the push of the desired state for {desired.title} Syrve has another {', '.join(wrong)} than it should"
            )


def _insert(cursor: Any, **columns: object) -> int:
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    statement = f"insert into crm.customer ({names}) values ({marks}) returning crm_id"  # noqa: S608 - names of our own
    cursor.execute(statement, tuple(columns.values()))
    return int(cursor.fetchone()[0])


def _insert_member(cursor: Any, guest: Sequence[str], category_id: str) -> int:
    crm_id = _insert(cursor, organization_id=guest[0], customer_id=guest[1])
    cursor.execute("insert into crm.customer_category (crm_id, category_id) values (%s, %s)", (crm_id, category_id))
    return crm_id
