"""Forgets people everywhere: in the mirror, its history, the roster, rejects, and what the CRM wanted; money stays under a pseudonym.

What an erasure is lies in the database (`privacy.erase`): one transaction per person, refused without the approval of its run.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import psycopg2

from syrve.approvals.book import Content, RunOf
from syrve.approvals.errors import NotApproved
from syrve.customers.identities import Identity, IdentityReader, stage_identities
from syrve.privacy.errors import ErasureHindered, UnusableRequest
from syrve.sources.errors import BadRow
from syrve.sources.source import as_source
from syrve.warehouse.database import Cursor, Warehouse, fetch_one, transaction
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging
from syrve.warehouse.trial import transaction_or_trial

_NOT_APPROVED = "SY003"
_HINDERED = "SY004"


@dataclass(slots=True)
class ErasurePlan:
    """How many people a run asks to erase, what of its rows was rejected, and why some can't be erased now; no person is named."""

    people: int = 0
    without_customer: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    hindered: Counter[str] = field(default_factory=Counter)
    digest: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for an XCom."""
        return {
            "people": self.people,
            "without_customer": self.without_customer,
            "rejected": dict(self.rejected),
            "hindered": dict(self.hindered),
            "digest": self.digest,
        }


def plan_erasure(
    warehouse: Warehouse,
    source: Any,
    *,
    run: RunOf,
    region: str,
    organization_id: str | None = None,
    dry_run: bool = True,
) -> ErasurePlan:
    """Pin the people that a source names (columns as of a roster import) for approval; a dry run counts the same and pins no one.

    Raises `UnusableSource`, `UnusableRequest` if the source names no one, `NotApproved` for people whom the run has not pinned before if it
    is in doubt who decided what it does, and `WarehouseError`.
    """
    reader = IdentityReader(region=region, organization_id=organization_id)
    plan = ErasurePlan()
    with warehouse.connect() as connection:
        prepare_staging(connection)
        for chunk in as_source(source).chunks(reader.columns):
            plan.rejected.update(bad.reason for bad in chunk.bad)
            identities: list[Identity] = []
            for row in chunk.rows:
                try:
                    identities.append(reader.identity(row))
                except BadRow as problem:
                    plan.rejected[str(problem)] += 1
            with transaction_or_trial(connection, "plan an erasure", is_trial=dry_run) as cursor:
                stage_identities(cursor, identities)
                _pin(cursor, plan, run, is_trial=dry_run)
        if not plan.people and not plan.hindered:
            raise UnusableRequest(
                "plan an erasure: the source names no one who could be erased; see the counts of rejected rows"
            )
        if not dry_run:
            with transaction(connection, "read an erasure") as cursor:
                plan.digest = content_of(cursor, run).digest
    return plan


def _pin(cursor: Cursor, plan: ErasurePlan, run: RunOf, *, is_trial: bool) -> None:
    cursor.execute(sql("privacy/people.sql"))
    for organization_id, customer_id, phone, candidates, hindrances in cursor.fetchall():
        if candidates > 1:
            plan.rejected["several customers have this identity: name one by id"] += 1
        elif customer_id is None and phone is None:
            plan.rejected["the card leads to no customer"] += 1
        elif hindrances:
            plan.hindered.update(hindrances)
        else:
            plan.people += 1
            plan.without_customer += customer_id is None
            values = _keys(run) | {"requested_by": run.requested_by}
            values |= {"organization_id": organization_id, "customer_id": customer_id, "phone": phone}
            cursor.execute(sql("privacy/ask.sql"), values)
            if cursor.rowcount and not is_trial:
                run.refuse_doubt()


def _keys(run: RunOf) -> dict[str, str]:
    return {"dag_id": run.dag_id, "run_id": run.run_id}


def content_of(cursor: Cursor, run: RunOf) -> Content:
    """Return what a run asks to approve; its rows never change before they are done."""
    cursor.execute(sql("privacy/asked.sql"), _keys(run))
    digest, people, _ = fetch_one(cursor)
    return Content("erasure", f"erasures of run {run.run_id}", digest, people)


def erase_people(warehouse: Warehouse, run: RunOf) -> Counter[str]:
    """Carry out the erasures of a run, each in one transaction; repeated, it goes on with those that are left.

    Returns rows by table. Raises `NotApproved`, `ErasureHindered` after the others are done, and `WarehouseError`.
    """
    done: Counter[str] = Counter()
    hindered: Counter[str] = Counter()
    with warehouse.connect() as connection:
        with transaction(connection, "read an erasure") as cursor:
            cursor.execute(sql("privacy/open.sql"), _keys(run))
            waiting = [erasure_id for (erasure_id,) in cursor.fetchall()]
        for erasure_id in waiting:
            try:
                with transaction(connection, "erase a person") as cursor:
                    done.update(_erase(cursor, erasure_id))
                    done["people"] += 1
            except ErasureHindered as reason:
                hindered[str(reason)] += 1
    if hindered:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in hindered.items())
        raise ErasureHindered(f"erase people: {done['people']} done, {hindered.total()} not: {reasons}")
    return done


def renew_statistics(warehouse: Warehouse) -> int:
    """Let the planner's statistics hold no value of erased people; returns how many tables were analyzed. Raises `WarehouseError`."""
    with warehouse.transaction("renew statistics after an erasure") as cursor:
        cursor.execute("select privacy.renew_statistics()")
        return int(fetch_one(cursor)[0])


def _erase(cursor: Cursor, erasure_id: str) -> dict[str, int]:
    try:
        cursor.execute("select privacy.erase(%s)", (erasure_id,))
    except psycopg2.Error as refusal:
        if refusal.pgcode == _NOT_APPROVED:
            raise NotApproved("erase people: no approval of this run is recorded; nothing was erased") from None
        if refusal.pgcode == _HINDERED:
            raise ErasureHindered(str(refusal.diag.message_primary)) from None
        raise
    removed: dict[str, int] = fetch_one(cursor)[0]
    return removed
