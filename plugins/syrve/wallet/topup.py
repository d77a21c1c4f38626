"""Credits a campaign's list, each row at most once: what was approved becomes operations of the ledger and is sent row by row.

A campaign is the namespace of its rows' keys: running the same list again, or one that overlaps it, credits no customer twice. A row whose
call was certainly not carried out gets another attempt; a row whose outcome is unknown is never sent again. Only rows of the latest version
of the list are sent, and only under an approval of that version by the same run.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from decimal import Decimal

from syrve.approvals.book import ApprovalBook
from syrve.approvals.errors import LimitExceeded
from syrve.approvals.rules import MoneyLimits
from syrve.wallet.campaign import (
    NOT_LISTED,
    CampaignRow,
    TopupPlan,
    Version,
    campaign_rows,
    changes_since,
    credited_elsewhere,
    digest_of_rows,
    latest_version,
    lock_campaign,
    summary,
)
from syrve.wallet.errors import PaymentUnsettled, PlanChanged, TopupIncomplete
from syrve.wallet.money import Money
from syrve.wallet.operations import OperationState
from syrve.wallet.settle import Settler
from syrve.wallet.take_in import Reported, prepare, take_in
from syrve.wallet.topup_list import ENTITY, TopupList, drop_leftovers
from syrve.warehouse.database import Cursor, transaction
from syrve.warehouse.runs import Counts, Reject, TaskKey, add_counts, add_rejects
from syrve.warehouse.staging import prepare_staging

__all__ = ["TopupList", "TopupRun", "present_plan"]

log = logging.getLogger(__name__)

MAX_FAILURES_IN_A_ROW = 3
_CHANGED_AMID = "the campaign got another list, or was given up, while it was sent; the rest is not sent"


class TopupRun:
    """Sends what a campaign still has to send; safe to kill, to repeat, and to run twice at once."""

    def __init__(
        self, money: Money, *, key: TaskKey, campaign: str, approvals: ApprovalBook, limits: MoneyLimits | None = None
    ) -> None:
        self._money = money
        self._settler = Settler(money)
        self._ledger = money.ledger
        self._key = key
        self._campaign = campaign
        self._approvals = approvals
        self._limits = limits

    def send(self, digest: str) -> Counts:
        """Send the rows of the version with that digest; `changed` counts those credited now.

        Raises `NotApproved` if this run has no approval of it, `PlanChanged` if the campaign has another list by now,
        `LimitExceeded`,
        `TopupIncomplete` if rows are left to send, `PaymentUnsettled` if the outcome of some is unknown once all others are done.
        """
        version = self._open(digest)
        rows = self._rows(version)
        counts = Counts(requested=sum(row.is_listed for row in rows))
        refused: list[Reject] = []
        try:
            self._send_all(version, rows, counts, refused)
        finally:
            counts.rejected = len(refused)
            self._keep(counts, refused)
        return self._ended(counts, version)

    def _open(self, digest: str) -> int:
        """Plan what was approved in the ledger, all in the transaction that checks the approval; returns the version."""
        drop_leftovers(self._ledger, self._campaign)
        with self._ledger.warehouse.connect() as connection:
            prepare(connection)
            with transaction(connection, "open an approved campaign") as cursor:
                lock_campaign(cursor, self._campaign)
                version, rows = self._approved(cursor, digest)
                self._check_limits(rows)
                again = [row for row in rows if row.is_to_be_sent and not row.is_ready and not row.is_leftover]
                now = datetime.now(UTC)
                reported = [
                    Reported(place, row.operation(self._campaign, now), "planned") for place, row in enumerate(again)
                ]
                if take_in(cursor, reported).conflicts:
                    raise PlanChanged("the ledger has rows of this campaign with other content; run the plan again")
        self._money.step("topup opened")
        return version.number

    def _approved(self, cursor: Cursor, digest: str) -> tuple[Version, list[CampaignRow]]:
        version = latest_version(cursor, self._campaign)
        rows = campaign_rows(cursor, self._campaign, version.number)
        if version.is_given_up or version.digest != digest or digest_of_rows(self._campaign, rows) != digest:
            raise PlanChanged("the campaign has another list than was approved, or was given up; run the plan again")
        for row in rows:
            if row.is_to_be_sent:  # the scale may have been changed since the plan
                self._ledger.check(row.operation(self._campaign))
        plan = summary(self._campaign, version, rows, 0)
        approval = self._approvals.require(cursor, plan.content)
        if plan.content.amount is None or plan.content.amount > (approval.content.amount or Decimal(0)):
            raise PlanChanged("more is to be credited than was approved; run the plan again")
        return version, rows

    def _check_limits(self, rows: list[CampaignRow]) -> None:
        if self._limits is None:
            return
        sending = [row.amount for row in rows if row.is_to_be_sent]
        problems = [self._limits.row_problem(amount) for amount in sending]
        problems.append(self._limits.run_problem(sum(sending, Decimal(0))))
        problem = next((each for each in problems if each), None)
        if problem is not None:
            raise LimitExceeded(f"campaign {self._campaign}: {problem}; nothing is sent")

    def _send_all(self, version: int, rows: list[CampaignRow], counts: Counts, refused: list[Reject]) -> None:
        failures = 0
        for row in rows:
            if row.operation_id is None or not (row.is_ready or row.state != "planned"):
                continue
            if row.is_ready:
                self._check_version(version)
            before = row.state
            done = self._settled(
                self._money.execute(row.operation_id) if row.is_ready else self._ledger.state(row.operation_id)
            )
            if row.is_ready and done.evidence.get("reason") == NOT_LISTED:
                raise PlanChanged(_CHANGED_AMID)
            counts.changed += before != "confirmed" and done.state == "confirmed"
            counts.unchanged += before == "confirmed"
            failures = failures + 1 if row.is_ready and done.may_be_tried_again else 0
            if row.is_listed and done.state == "rejected" and not done.may_be_tried_again:
                refused.append(_refusal(row, done))
            if failures >= MAX_FAILURES_IN_A_ROW or (row.is_ready and done.needs_somebody):
                raise TopupIncomplete(f"nothing can be sent now ({done.why_nothing_moved}); the rest is left planned")

    def _check_version(self, version: int) -> None:
        with self._ledger.warehouse.transaction("read a campaign") as cursor:
            if latest_version(cursor, self._campaign).number != version:
                raise PlanChanged(_CHANGED_AMID)

    def _ended(self, counts: Counts, version: int) -> Counts:
        left = self._rows(version)
        unknown = sum(row.state in ("sent", "unknown") for row in left)
        if any(row.is_to_be_sent for row in left):
            raise TopupIncomplete(
                f"{sum(row.is_to_be_sent for row in left)} row(s) could not be sent; nothing moved for them"
            )
        if unknown:
            raise PaymentUnsettled(
                f"the outcome of {unknown} row(s) is unknown; they are not sent again, see wallet.unsettled_operation"
            )
        return counts

    def _rows(self, version: int) -> list[CampaignRow]:
        with self._ledger.warehouse.transaction("read a campaign") as cursor:
            return campaign_rows(cursor, self._campaign, version)

    def _settled(self, operation: OperationState) -> OperationState:
        if operation.state in ("sent", "unknown"):
            return self._settler.settle(operation.operation_id).operation
        return operation

    def _keep(self, counts: Counts, refused: list[Reject]) -> None:
        with self._ledger.warehouse.connect() as connection:
            prepare_staging(connection)
            with transaction(connection, "count what a campaign sent") as cursor:
                add_rejects(cursor, self._key.run_id, refused)
                add_counts(cursor, self._key, counts)


def present_plan(cursor: Cursor, campaign: str, digest: str) -> TopupPlan:
    """Return what the campaign's latest version would send now; raise `PlanChanged` if it has another digest."""
    version = latest_version(cursor, campaign)
    if version.is_given_up or version.digest != digest:
        raise PlanChanged("the campaign has got another list, or was given up; start another run")
    rows = campaign_rows(cursor, campaign, version.number)
    former = campaign_rows(cursor, campaign, version.number - 1)
    sending = {row.row_key for row in rows if row.is_to_be_sent}
    elsewhere = len(credited_elsewhere(cursor, campaign, version.number) & sending)
    changes = changes_since(former, rows)
    return summary(campaign, version, rows, version.rejected_rows, credited_elsewhere=elsewhere, **changes)


def _refusal(row: CampaignRow, done: OperationState) -> Reject:
    reason = f"{done.evidence.get('reason')} {done.evidence.get('code', '')}".strip()
    payload = {"operation_id": done.operation_id, "amount": format(row.amount, "f")}
    return Reject(ENTITY, row.organization_id, f"customer_id {row.customer_id}", "wallet_topup", reason, payload)
