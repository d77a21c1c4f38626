"""Operators of the customer pull: plan the shards, pull them, publish what changed."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from syrve.hooks.syrve import SyrveHook
from syrve.hooks.warehouse import DEFAULT_WAREHOUSE_CONN_ID, open_budget, open_warehouse
from syrve.operators.base import organization_served, task_key, told
from syrve.operators.rendered import as_flag, as_number, as_texts

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.warehouse.runs import Counts

log = logging.getLogger(__name__)


class SyrvePlanPullOperator(BaseOperator):
    """Lists organizations into `syrve.organization` and divides what is due in the roster into shards.

    Returns a list of `{"organization_id", "shard", "max_identities"}`, one a mapped task: never more than `max_shards` an
    organization, each worth about `shard_size` identities.
    """

    template_fields: Sequence[str] = ("organization_ids", "force", "shard_size", "max_shards", "limit")

    def __init__(
        self,
        *,
        organization_ids: list[str] | str | None = None,
        force: bool | str = False,
        shard_size: int | str = 5_000,
        max_shards: int | str = 4,
        limit: int | str | None = None,
        syrve_conn_id: str = SyrveHook.default_conn_name,
        warehouse_conn_id: str = DEFAULT_WAREHOUSE_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_ids = organization_ids
        self.force = force
        self.shard_size = shard_size
        self.max_shards = max_shards
        self.limit = limit
        self.syrve_conn_id = syrve_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Plan the run."""
        from syrve.customers.plan import plan_pull
        from syrve.organizations import write_organizations

        hook = SyrveHook(self.syrve_conn_id)
        warehouse = open_warehouse(self.warehouse_conn_id)
        with open_budget(warehouse, hook.config(), bulk=True) as budget, hook.get_conn(budget) as client:
            organizations = client.organizations()
        write_organizations(warehouse, organizations, time_zone=hook.config().time_zone)
        plan = plan_pull(
            warehouse,
            visible=[each.organization_id for each in organizations],
            wanted=as_texts(self.organization_ids),
            force=as_flag(self.force),
            shard_size=int(self.shard_size),
            max_shards=int(self.max_shards),
            limit=as_number(self.limit),
        )
        for organization_id in plan.not_visible:
            log.warning(
                "The roster has identities of %s, which the api login does not see; they are left alone",
                organization_id,
            )
        log.info(
            "%d identities are due in %d organization(s): %d shard(s)", plan.due, plan.organizations, len(plan.shards)
        )
        return [dict(shard) for shard in plan.shards]


class SyrvePullCustomersOperator(BaseOperator):
    """Pulls due identities of one organization until none is left; mapped over the shards of `SyrvePlanPullOperator`.

    Any number of these may run at once, in one run or in several: they share the roster by leases. Returns the counts.
    """

    template_fields: Sequence[str] = ("organization_id", "batch_size")

    def __init__(
        self,
        *,
        organization_id: str,
        shard: int = 0,
        max_identities: int | None = None,
        batch_size: int | str = 500,
        syrve_conn_id: str = SyrveHook.default_conn_name,
        warehouse_conn_id: str = DEFAULT_WAREHOUSE_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_id = organization_id
        self.shard = shard
        self.max_identities = max_identities
        self.batch_size = batch_size
        self.syrve_conn_id = syrve_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Pull the shard."""
        from syrve.customers.pull import CustomerPull, PullScope
        from syrve.customers.settings import PullSettings

        hook = SyrveHook(self.syrve_conn_id)
        config = hook.config()
        warehouse = open_warehouse(self.warehouse_conn_id)
        key = task_key(context)
        with (
            organization_served(warehouse, self.organization_id, operation="customer_info", key=key),
            open_budget(warehouse, config, bulk=True) as budget,
            hook.bulk(budget) as bulk,
        ):
            pull = CustomerPull(
                warehouse,
                bulk,
                key=key,
                region=config.default_region,
                settings=PullSettings(batch_size=int(self.batch_size)),
                on_progress=_ProgressLog(),
            )
            counts = pull.run(PullScope(self.organization_id, self.max_identities))
        log.info("Done: %s", told(counts))
        return counts.as_dict()


class _ProgressLog:
    """Logs progress as a rate, at most every few seconds."""

    def __init__(self, every_seconds: float = 5.0) -> None:
        self._every_seconds = every_seconds
        self._started = self._logged = time.monotonic()

    def __call__(self, counts: Counts) -> None:
        now = time.monotonic()
        if now - self._logged >= self._every_seconds:
            self._logged = now
            log.info("%s; %.0f look-ups a second", told(counts), counts.requested / (now - self._started))
