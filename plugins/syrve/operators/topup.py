"""Operators of the bulk top-up: plan a campaign, stop there unless it is to be sent, send what was approved."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from syrve.operators import settings
from syrve.operators.base import SyrveOperator, format_counts, planning_run_of, run_of, task_key
from syrve.operators.own_templates import OwnTemplates
from syrve.operators.rendered import as_flag, as_number, as_text
from syrve.operators.source_base import SourceOperator
from syrve.operators.sources import report_bad_rows
from syrve.operators.wallet import WalletOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.approvals.rules import MoneyLimits
    from syrve.sources.bad_rows import BadRows
    from syrve.wallet.campaign import TopupPlan
    from syrve.wallet.topup import TopupList

log = logging.getLogger(__name__)

SOURCES = ("file", "query")


class SyrvePlanTopupOperator(SourceOperator, SyrveOperator):
    """Reads a campaign's list and keeps it as a version; returns counts, amounts as text, and the digest to approve.

    A dry run returns the same and keeps no version. `give_up` leaves nothing of the campaign to send, and reads no list.
    """

    template_fields: Sequence[str] = (
        *SourceOperator.template_fields,
        "campaign",
        "organization_id",
        "wallet_type",
        "comment",
        "is_dry_run",
        "give_up",
    )
    writes = ("wallet.campaign_version", "wallet.campaign_row")

    def __init__(
        self,
        *,
        campaign: str,
        organization_id: str | None = None,
        wallet_type: int | str | None = None,
        comment: str | None = None,
        is_dry_run: bool | str = True,
        give_up: bool | str = False,
        amount_scale: int = settings.WALLET_SCALE,
        limits: MoneyLimits = settings.TOPUP_LIMITS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.limits = limits
        self.campaign = campaign
        self.organization_id = organization_id
        self.wallet_type = wallet_type
        self.comment = comment
        self.is_dry_run = is_dry_run
        self.give_up = give_up
        self.amount_scale = amount_scale

    def execute(self, context: Context) -> dict[str, Any]:
        """Plan the campaign."""
        from syrve.approvals.book import ApprovalBook
        from syrve.customers.phones import to_e164
        from syrve.sources.bad_rows import BadRows
        from syrve.wallet.campaign import as_dict
        from syrve.wallet.topup import TopupList

        dry_run, warehouse = as_flag(self.is_dry_run), self.warehouse()
        run = run_of(context) if dry_run else planning_run_of(context, warehouse)
        with BadRows() as bad_rows:
            job = TopupList(
                warehouse,
                key=task_key(context),
                campaign=str(self.campaign),
                to_e164=partial(to_e164, region=self.syrve().config().default_region),
                organization_id=as_text(self.organization_id),
                wallet_type=as_number(self.wallet_type),
                comment=as_text(self.comment),
                amount_scale=self.amount_scale,
                bad_rows=bad_rows,
                limits=self.limits,
            )
            plan = job.give_up(dry_run=dry_run) if as_flag(self.give_up) else self._planned(job, bad_rows)
        is_sent = not (dry_run or plan.is_given_up)
        if is_sent:
            ApprovalBook(warehouse, run).plan(plan.content)
        _report(plan)
        return as_dict(plan) | {"is_to_be_asked": is_sent and bool(plan.to_credit + plan.unknown)}

    def _planned(self, job: TopupList, bad_rows: BadRows) -> TopupPlan:
        with self.opened() as opened:
            plan = job.plan(opened.source, dry_run=as_flag(self.is_dry_run))
            report_bad_rows(opened, bad_rows)
            return plan


class SyrveTopupGateOperator(OwnTemplates, BaseOperator):
    """Lets a campaign go on to approval; skips itself in a dry run, for one given up, and where there is nothing to send or to settle."""

    template_fields: Sequence[str] = ("is_dry_run", "to_send")

    def __init__(self, *, is_dry_run: bool | str, to_send: bool | int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_dry_run = is_dry_run
        self.to_send = to_send

    def execute(self, context: Context) -> None:
        """Pass, or skip."""
        if as_flag(self.is_dry_run):
            raise AirflowSkipException("A preview: nothing was planned and nothing is sent")
        if str(self.to_send).strip().lower() in ("0", "false", "none", ""):
            raise AirflowSkipException("Nothing is left to send")


class SyrveSendTopupOperator(WalletOperator):
    """Sends the rows of a campaign that this run has an approval of, each credited at most once; returns the counts."""

    template_fields: Sequence[str] = ("campaign", "digest")
    reads = ("wallet.campaign_version", "wallet.campaign_row")
    writes = ("wallet.operation",)

    def __init__(
        self,
        *,
        campaign: str,
        digest: str,
        limits: MoneyLimits = settings.TOPUP_LIMITS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.limits = limits
        self.campaign = campaign
        self.digest = digest

    def execute(self, context: Context) -> dict[str, Any]:
        """Send the campaign."""
        from syrve.approvals.book import ApprovalBook
        from syrve.wallet.topup import TopupRun

        with self.wallet().money() as money:
            approvals = ApprovalBook(money.ledger.warehouse, run_of(context))
            job = TopupRun(
                money, key=task_key(context), campaign=str(self.campaign), approvals=approvals, limits=self.limits
            )
            counts = job.send(str(self.digest))
        log.info("Done: %s", format_counts(counts))
        counts.changed_tables |= {"wallet.operation"} if counts.requested else set()
        self.finish(context, counts)
        if counts.rejected:
            log.warning("%d row(s) were refused by Syrve; see sync.reject, stage wallet_topup", counts.rejected)
        return counts.as_dict()


def _report(plan: TopupPlan) -> None:
    if plan.is_given_up:
        log.info("Campaign %s is given up: %d row(s) will not be sent", plan.campaign, plan.removed)
    log.info(
        "Campaign %s, version %d: %d row(s) to credit with %s in all",
        *(plan.campaign, plan.version, plan.to_credit, plan.to_credit_amount),
    )
    log.info("Against the version before: %d added, %d changed, %d removed", plan.added, plan.changed, plan.removed)
    log.info("Credited before: %d with %s; outcome unknown: %d", plan.credited, plan.credited_amount, plan.unknown)
    if plan.credited_elsewhere:
        log.warning(
            "%d row(s) to credit were credited within 30 days by another campaign, or by this one under another key",
            plan.credited_elsewhere,
        )
    if plan.rejected_rows:
        log.warning("%d row(s) could not be imported; see sync.reject, entity topup", plan.rejected_rows)
    if plan.problem is not None:
        log.warning("It can't be sent: %s", plan.problem)
