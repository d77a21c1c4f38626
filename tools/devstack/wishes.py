"""A CRM's part in the demo: four wishes by plain SQL, what the push made of them, and what the simulated Syrve has in the end."""

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
            where conflict.crm_id = wished.crm_id and conflict.closed_at is null
        ), '')
    from crm.customer as wished
    left join crm.push_plan as planned
        on wished.crm_id = planned.crm_id
        and planned.plan_id = (select max(plan_id) from crm.push_plan_summary where run_id = %(run_id)s)
    where wished.crm_id = %(crm_id)s
"""


@dataclass(frozen=True)
class Wish:
    """A row of the CRM; `key` is how Syrve is asked about the guest, `wanted` what it must answer after the push."""

    title: str
    crm_id: int
    organization_id: str
    key: dict[str, str]
    wanted: dict[str, str]
    expected: tuple[str, str, str, str]


@dataclass(frozen=True)
class WishOutcome:
    """What was planned for a wish (action, names of fields), what came of it, and its open conflicts."""

    wish: Wish
    action: str
    fields: str
    state: str
    conflict: str

    @property
    def told(self) -> tuple[str, str, str, str]:
        """The outcome without the wish."""
        return self.action, self.fields, self.state, self.conflict


def write_wishes(warehouse: Warehouse) -> list[Wish]:
    """Write four wishes in one transaction: a new guest, another name, a category more, another phone."""
    with warehouse.cursor() as cursor:
        guests = []
        for offset in range(3):
            cursor.execute(GUEST, (offset,))
            guests.append(cursor.fetchone())
        (organization_id, *_), named, member, phoned = guests[0], *guests
        cursor.execute(CATEGORY_FOR, {"organization_id": member[0], "customer_id": member[1]})
        (category_id,) = cursor.fetchone()
        return [
            Wish(
                "a new guest",
                _insert(cursor, organization_id=organization_id, phone=NEW_PHONE, name=NEW_NAME, receives_promo=False),
                organization_id,
                {"type": "phone", "phone": NEW_PHONE},
                {"name": NEW_NAME},
                ("create", "name, phone, receives_promo", "pushed", ""),
            ),
            Wish(
                "another name",
                _insert(cursor, organization_id=named[0], customer_id=named[1], name=NEW_NAME),
                named[0],
                {"type": "id", "id": named[1]},
                {"name": NEW_NAME, "phone": named[3]},
                ("update", "name", "pushed", "name: crm"),
            ),
            Wish(
                "a category more",
                _insert_member(cursor, member, category_id),
                member[0],
                {"type": "id", "id": member[1]},
                {"name": member[2], "category": category_id},
                ("memberships", "category", "pushed", ""),
            ),
            Wish(
                "another phone",
                _insert(cursor, organization_id=phoned[0], customer_id=phoned[1], phone=OTHER_PHONE),
                phoned[0],
                {"type": "id", "id": phoned[1]},
                {"phone": phoned[3]},
                ("nothing", "", "", "phone: waits"),
            ),
        ]


def read_outcomes(warehouse: Warehouse, run_id: str, wishes: Sequence[Wish]) -> list[WishOutcome]:
    """Read what a push made of the wishes."""
    outcomes = []
    with warehouse.cursor() as cursor:
        for wish in wishes:
            cursor.execute(OUTCOME, {"run_id": run_id, "crm_id": wish.crm_id})
            outcomes.append(WishOutcome(wish, *cursor.fetchone()))
    return outcomes


def ask_syrve(base_url: str, api_login: str, wishes: Sequence[Wish]) -> list[dict[str, Any]]:
    """Ask Syrve itself about the guest of each wish, as any client would; returns its answers."""
    with signed_in(base_url, api_login) as syrve:
        path = "loyalty/iiko/customer/info"
        return [syrve.ask(path, {"organizationId": wish.organization_id} | wish.key) for wish in wishes]


def check_push(outcomes: Sequence[WishOutcome], answers: Sequence[dict[str, Any]]) -> None:
    """Raise StackError where the push did anything else with a wish than it should, or Syrve does not have what was wished."""
    for outcome, answer in zip(outcomes, answers, strict=True):
        wish = outcome.wish
        if outcome.told != wish.expected:
            raise StackError(f"Of the wish for {wish.title} came {outcome.told}, where {wish.expected} was to come")
        categories = [category["id"] for category in answer["categories"]]
        wrong = [
            name
            for name, value in wish.wanted.items()
            if not (value in categories if name == "category" else answer[name] == value)
        ]
        if wrong:
            raise StackError(f"After the wish for {wish.title} Syrve has another {', '.join(wrong)} than it should")


def _insert(cursor: Any, **columns: object) -> int:
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    statement = f"insert into crm.customer ({names}) values ({marks}) returning crm_id"  # noqa: S608 - names of our own
    cursor.execute(statement, tuple(columns.values()))
    return int(cursor.fetchone()[0])


def _insert_member(cursor: Any, guest: Sequence[str], category_id: str) -> int:
    crm_id = _insert(cursor, organization_id=guest[0], customer_id=guest[1])
    cursor.execute("insert into crm.customer_category (crm_id, category_id) values (%s, %s)", (crm_id, category_id))
    return crm_id
