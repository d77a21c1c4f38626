"""Reads a run's plan back: what an approval of it is about, and how the push went. A run whose rows were refused is not a success."""

from __future__ import annotations

from syrve.approvals.book import Content
from syrve.crm.errors import PushHeldBack, PushRefused
from syrve.crm.plan import COUNTS, PushPlan, customers_of_plan
from syrve.warehouse.breaker import HOW_TO_DECIDE
from syrve.warehouse.database import Warehouse, fetch_one
from syrve.warehouse.sql_files import sql


def plan_of_run(warehouse: Warehouse, run_id: str) -> tuple[PushPlan, bool] | None:
    """Return the latest plan of a run and whether it was a dry run, or None."""
    with warehouse.transaction("read the push plan") as cursor:
        cursor.execute(sql("crm/plan_of_run.sql"), {"run_id": run_id})
        row = cursor.fetchone()
        if row is None:
            return None
        plan_id, is_dry_run, *counts, fields = row
        plan = PushPlan(
            plan_id,
            **dict(zip(COUNTS, counts, strict=True)),
            fields=fields,
            customers=customers_of_plan(cursor, plan_id),
        )
        return plan, is_dry_run


def content_of_plan(warehouse: Warehouse, plan_id: int) -> Content:
    """Return what an approval of a plan is about: its exact changes, by their digest."""
    with warehouse.transaction("read the content of a push plan") as cursor:
        cursor.execute(sql("crm/plan/digest.sql"), {"plan_id": plan_id})
        digest, customers = fetch_one(cursor)
    return Content("crm_push", f"plan {plan_id}", digest, customers)


def organizations_held(warehouse: Warehouse) -> list[str]:
    """Return the organizations whose pushes a breaker holds back."""
    with warehouse.transaction("look for what is held back") as cursor:
        cursor.execute(
            "select distinct organization_id::text from sync.breaker where kind = 'push' and decision is null order by 1"
        )
        return [organization_id for (organization_id,) in cursor.fetchall()]


def check_held_back(plan: PushPlan) -> None:
    """Raise `PushHeldBack` if the plan held rows back; the others have been sent."""
    if plan.held_back:
        raise PushHeldBack(
            f"{plan.held_back:,} row(s) are held back: one field of more customers would change than may without a question. "
            f"Look at sync.breaker (kind push) and crm.push_held_back, then {HOW_TO_DECIDE}. All other rows were sent",
            operation="push",
        )


def check_refusals(warehouse: Warehouse, run_id: str, plan_id: int, *, max_refused_share: float) -> dict[str, int]:
    """Return how many rows were sent and refused; raise `PushRefused` if more than that share of an organization's was refused."""
    with warehouse.transaction("judge the push") as cursor:
        cursor.execute(sql("crm/verdict.sql"), {"plan_id": plan_id, "run_id": run_id})
        rows = cursor.fetchall()
    bad = [
        f"{organization_id}: {refused} of {sent + refused}"
        for organization_id, sent, refused in rows
        if refused > max_refused_share * (sent + refused)
    ]
    if bad:
        raise PushRefused(
            f"too many rows were refused ({'; '.join(bad)}); the reasons are in crm.push_blocked and crm.push_plan",
            operation="push",
        )
    return {"sent": sum(sent for _, sent, _ in rows), "refused": sum(refused for *_, refused in rows)}
