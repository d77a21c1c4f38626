"""Operators of the CRM push: plan, apply, judge; and the import of desired states."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from syrve.hooks.warehouse import open_budget
from syrve.operators import settings
from syrve.operators.base import (
    MOST_UNSEEN,
    SyrveOperator,
    WarehouseOperator,
    format_counts,
    organization_served,
    run_of,
    task_key,
    warn_of_unseen,
)
from syrve.operators.forms import reads_as_dry_run
from syrve.operators.rendered import as_flag, as_number, as_texts
from syrve.operators.source_base import ImportOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.crm.imports import CrmImport
    from syrve.crm.plan import PushPlan

log = logging.getLogger(__name__)

SOURCES = ("file", "query")


class SyrvePlanPushOperator(SyrveOperator):
    """Plans a push and returns the shards that send it, `{"plan_id", "organization_id", "shard"}`; none in a dry run.

    The plan is in `crm.push_plan`, its counts in `crm.push_plan_summary` and in the log. `release_blocked` lets the rows of
    `crm.push_blocked` go again first; `limit` bounds the customers; `is_dry_run` left empty means a dry run
    when a person started the run, and no other.
    """

    template_fields: Sequence[str] = (
        "organization_ids",
        "is_dry_run",
        "limit",
        "release_blocked",
        "shard_size",
        "max_shards",
    )
    reads = ("crm.customer", "crm.customer_category", "crm.customer_card", "crm.customer_program", "syrve.customer")
    writes = ("crm.push_plan", "syrve.organization")

    def __init__(
        self,
        *,
        organization_ids: list[str] | str | None = None,
        is_dry_run: bool | str | None = None,
        limit: int | str | None = None,
        release_blocked: bool | str = False,
        shard_size: int | str = 2_000,
        max_shards: int | str = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_ids = organization_ids
        self.is_dry_run = is_dry_run
        self.limit = limit
        self.release_blocked = release_blocked
        self.shard_size = shard_size
        self.max_shards = max_shards

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Plan the push."""
        from syrve.crm.plan import PlanScope, PushPlanner, organizations_unseen, shards_of
        from syrve.crm.push_settings import PushSettings
        from syrve.organizations import chosen
        from syrve.warehouse.limits import BreakerSettings

        hook = self.syrve()
        config = hook.config()
        warehouse = self.warehouse()
        organizations = self.refreshed_organizations(context, bulk=False)
        visible = [each.organization_id for each in organizations]
        wanted = as_texts(self.organization_ids)
        only_look = reads_as_dry_run(self.is_dry_run, context)
        breaker = BreakerSettings(settings.PUSH_CHANGED_SHARE, settings.PUSH_CHANGED_AT_LEAST)
        planner = PushPlanner(
            warehouse,
            key=task_key(context),
            capabilities=config.capabilities,
            region=config.default_region,
            settings=PushSettings(breaker=breaker),
        )
        plan = planner.run(
            PlanScope(
                tuple(chosen(visible, wanted)),
                limit=as_number(self.limit),
                is_dry_run=only_look,
                release_blocked=as_flag(self.release_blocked),
            )
        )
        unseen = [] if wanted else organizations_unseen(warehouse, visible, most=MOST_UNSEEN + 1)
        _tell(plan, unseen, only_look)
        return [] if only_look else shards_of(plan, shard_size=int(self.shard_size), max_shards=int(self.max_shards))


def _tell(plan: PushPlan, unseen: Sequence[str], only_look: bool) -> None:
    log.info("%s: %s", "Dry run, nothing is sent" if only_look else "To be sent", plan.summary())
    for each in plan.newly_refused:
        log.warning(
            "%d row(s) of %s cannot be pushed: %s; they wait in crm.push_blocked until they change or are released",
            each.rows,
            each.organization_id,
            each.reason,
        )
    for held in plan.held:
        log.warning(
            "%d row(s) of %s are held back: %s of too many customers would change; a person decides breaker %d in sync.breaker",
            held.customers,
            held.organization_id,
            held.field,
            held.breaker_id,
        )
    if plan.unshown:
        log.warning(
            "%d acknowledged change(s) do not show in the look-up after them; see sync.reject, stage read_back",
            plan.unshown,
        )
    if plan.asking:
        log.warning("%d field(s) wait for a person's decision in crm.conflict", plan.asking)
    warn_of_unseen("crm.customer has rows", unseen)


class SyrveApplyPushOperator(SyrveOperator):
    """Sends open rows of a plan for one organization and returns the counts. Raises `NotApproved` if this run has no approval of it.

    Skips itself where loyalty is not set up for the organization. `max_refused_share` is judged afterwards, by `SyrvePushVerdictOperator`.
    """

    template_fields: Sequence[str] = ("plan_id", "organization_id", "shard")
    reads = ("crm.push_plan",)
    writes = ("crm.push",)

    def __init__(
        self,
        *,
        plan_id: int,
        organization_id: str,
        shard: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.plan_id = plan_id
        self.organization_id = organization_id
        self.shard = shard

    def execute(self, context: Context) -> dict[str, Any]:
        """Send the rows."""
        from syrve.crm.apply import ApplyScope, PushApply

        hook = self.syrve()
        warehouse = self.warehouse()
        key = task_key(context)
        with (
            organization_served(warehouse, self.organization_id, operation="create_or_update", key=key),
            open_budget(warehouse, hook.config(), bulk=False) as budget,
            hook.get_conn(budget) as client,
        ):
            job = PushApply(warehouse, client, key=key, asked_by=run_of(context))
            counts = job.run(ApplyScope(int(self.plan_id), self.organization_id))
        log.info("Done: %s", format_counts(counts))
        self.finish(context, counts)
        return counts.as_dict()


class SyrvePushVerdictOperator(WarehouseOperator):
    """Fails the run if more than `max_refused_share` of an organization's rows were refused, or if rows are held back; alerts of those.

    Returns how many were sent and refused.
    """

    template_fields: Sequence[str] = ("max_refused_share",)
    reads = ("crm.push_plan", "crm.push")

    def __init__(
        self,
        *,
        max_refused_share: float | str = 0.5,
        notifications_conn_id: str = settings.NOTIFICATIONS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_refused_share = max_refused_share
        self.notifications_conn_id = notifications_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Judge the run."""
        from syrve.crm.verdict import check_held_back, check_refusals, organizations_held, plan_of_run
        from syrve.notifications.breakers import tell_of_breakers

        warehouse = self.warehouse()
        found = plan_of_run(warehouse, context["run_id"])
        if found is None or found[1]:
            raise AirflowSkipException("Nothing was sent, so there is nothing to judge")
        for organization_id in organizations_held(warehouse):
            tell_of_breakers(warehouse, organization_id, conn_id=self.notifications_conn_id)
        share = float(self.max_refused_share)
        counts = check_refusals(warehouse, context["run_id"], found[0].plan_id, max_refused_share=share)
        check_held_back(found[0])
        return counts


class SyrveCrmImportOperator(ImportOperator, SyrveOperator):
    """Writes desired states from a file or a query into `crm.customer` and its memberships; returns the counts and the first bad rows.

    A dry run counts the same and writes nothing. The parameters of the source are those of `SourceOperator`; the columns are in
    docs/crm-push.md. Skips itself if nothing changed, so that the push is not started.
    """

    writes = ("crm.customer", "crm.customer_category", "crm.customer_card", "crm.customer_program")

    def import_job(self, **shared: Any) -> CrmImport:
        """Make the job."""
        from syrve.crm.imports import CrmImport

        return CrmImport(self.warehouse(), region=self.syrve().config().default_region, **shared)

    def execute(self, context: Context) -> dict[str, Any]:
        """Import the source."""
        result = super().execute(context)
        if not (result["changed"] or result["dry_run"]):
            raise AirflowSkipException("Nothing changed, so the push is not started")
        return result
