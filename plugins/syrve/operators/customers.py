"""Operators of the customer pull: plan the shards, pull them, add up the day."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from syrve.customers.pull_settings import BATCH_SIZE
from syrve.hooks.run_note import DEFAULT_AIRFLOW_API_CONN_ID, RunNote
from syrve.hooks.warehouse import open_budget
from syrve.operators import settings
from syrve.operators.base import (
    SyrveOperator,
    WarehouseOperator,
    format_counts,
    organization_served,
    task_key,
    warn_of_unseen,
)
from syrve.operators.metrics import Meter
from syrve.operators.progress import BackfillNote, ProgressLog
from syrve.operators.rendered import as_flag, as_number, as_texts

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.customers.claims import Tier
    from syrve.customers.pull_settings import PullSettings
    from syrve.warehouse.database import Warehouse
    from syrve.warehouse.runs import Counts, TaskKey

log = logging.getLogger(__name__)


class SyrvePlanPullOperator(SyrveOperator):
    """Lists organizations into `syrve.organization` and divides what is due in the roster into shards.

    Returns a list of `{"organization_id", "shard", "max_identities", "expected"}`, one per mapped task: never more than `max_shards` an
    organization, each worth about `shard_size` identities. `tier` is `active` (looked at by the clock) or `regular`.
    """

    template_fields: Sequence[str] = ("organization_ids", "force", "shard_size", "max_shards", "limit")
    reads = ("sync.roster",)
    writes = ("syrve.organization",)

    def __init__(
        self,
        *,
        organization_ids: list[str] | str | None = None,
        force: bool | str = False,
        shard_size: int | str = 5_000,
        max_shards: int | str = 4,
        limit: int | str | None = None,
        tier: Tier = "regular",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_ids = organization_ids
        self.force = force
        self.shard_size = shard_size
        self.max_shards = max_shards
        self.limit = limit
        self.tier = tier

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Plan the run."""
        from syrve.customers.keep_freshness import keep_freshness
        from syrve.customers.plan import plan_pull
        from syrve.customers.pull_settings import AHEAD_SECONDS, PullSettings

        warehouse = self.warehouse()
        organizations = self.refreshed_organizations(context)
        plan = plan_pull(
            warehouse,
            visible=[each.organization_id for each in organizations],
            wanted=as_texts(self.organization_ids),
            force=as_flag(self.force),
            shard_size=int(self.shard_size),
            max_shards=int(self.max_shards),
            limit=as_number(self.limit),
            tier=self.tier,
            settings=PullSettings(ahead_seconds=0.0 if self.tier == "active" else AHEAD_SECONDS),
        )
        if self.tier != "active":
            keep_freshness(warehouse)
        warn_of_unseen("The roster has identities", plan.not_visible)
        log.info(
            "%d identities or more are due in %d organization(s): %d shard(s)",
            plan.due,
            plan.organizations,
            len(plan.shards),
        )
        return [dict(shard) for shard in plan.shards]


def with_breaker(chosen: PullSettings) -> PullSettings:
    """Return the settings of a pull with the breaker that `SYRVE_BREAKER_SHARE` and `SYRVE_BREAKER_AT_LEAST` set."""
    from syrve.warehouse.limits import BreakerSettings

    return replace(chosen, breaker=BreakerSettings(settings.BREAKER_SHARE, settings.BREAKER_AT_LEAST))


class SyrvePullCustomersOperator(SyrveOperator):
    """Pulls due identities of one organization until none is left; mapped over the shards of `SyrvePlanPullOperator`.

    With `backfill_id` it pulls what that backfill has left, behind scheduled pulls and at most `cap_per_minute` calls a minute, and writes
    progress on the run's note; mapped over the shards of `SyrvePlanBackfillOperator`. Any number of these may run at once, in one run or
    in several: they share the roster by leases. A batch is never more than two minutes of the account's budget, so that what was paid for
    is soon committed. Returns the counts.
    """

    template_fields: Sequence[str] = ("organization_id", "batch_size", "cap_per_minute")
    reads = ("sync.roster",)
    writes = ("syrve.customer", "syrve.wallet_balance", "syrve.card", "syrve.customer_category", "sync.roster")

    def __init__(
        self,
        *,
        organization_id: str,
        shard: int = 0,
        max_identities: int | None = None,
        expected: int | None = None,
        batch_size: int | str = BATCH_SIZE,
        tier: Tier = "regular",
        backfill_id: int | None = None,
        cap_per_minute: int | str | None = None,
        airflow_api_conn_id: str = DEFAULT_AIRFLOW_API_CONN_ID,
        notifications_conn_id: str = settings.NOTIFICATIONS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.notifications_conn_id = notifications_conn_id
        self.organization_id = organization_id
        self.shard = shard
        self.max_identities = max_identities
        self.expected = expected
        self.batch_size = batch_size
        self.tier = tier
        self.backfill_id = backfill_id
        self.cap_per_minute = cap_per_minute
        self.airflow_api_conn_id = airflow_api_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Pull the shard."""
        from syrve.customers.claims import PullScope
        from syrve.customers.keep_freshness import keep_freshness
        from syrve.customers.pull import CustomerPull
        from syrve.notifications.breakers import tell_of_breakers

        hook = self.syrve()
        config = hook.config()
        warehouse = self.warehouse()
        key, meter = task_key(context), Meter(context)
        is_backfill, cap = self.backfill_id is not None, as_number(self.cap_per_minute)
        with (
            organization_served(warehouse, self.organization_id, operation="customer_info", key=key),
            open_budget(warehouse, config, bulk=True, backfill=is_backfill, cap_per_minute=cap) as budget,
            hook.bulk(budget) as bulk,
        ):
            pull = CustomerPull(
                warehouse,
                bulk,
                key=key,
                region=config.default_region,
                settings=self._settings(budget.calls_per_minute("customer"), cap),
                on_progress=self._progress(warehouse, key, context, meter),
            )
            scope = PullScope(self.organization_id, self.max_identities, self.tier, self.backfill_id)
            try:
                counts = pull.run(scope)
            finally:
                tell_of_breakers(warehouse, self.organization_id, conn_id=self.notifications_conn_id)
        if self.tier != "active":
            keep_freshness(warehouse)
        log.info("Done: %s", format_counts(counts))
        self.finish(context, counts, meter=meter)
        return counts.as_dict()

    def _settings(self, calls_per_minute: float, cap_per_minute: float | None) -> PullSettings:
        from syrve.customers.pull_settings import backfill_settings, pull_settings

        if self.backfill_id is None:
            return with_breaker(pull_settings(int(self.batch_size), calls_per_minute))
        return with_breaker(backfill_settings(int(self.batch_size), calls_per_minute, cap_per_minute))

    def _progress(self, warehouse: Warehouse, key: TaskKey, context: Context, meter: Meter) -> Callable[[Counts], None]:
        listeners: list[Callable[[Counts], None]] = [meter, ProgressLog(self.expected)]
        if self.backfill_id is not None:
            note = RunNote(context["ti"].dag_id, key.run_id, conn_id=self.airflow_api_conn_id)
            listeners.append(BackfillNote(warehouse, note, key))

        def tell(counts: Counts) -> None:
            for listener in listeners:
                listener(counts)

        return tell


class SyrveDailyBalanceOperator(WarehouseOperator):
    """Adds up the balances of the days that are over and of the one that lasts: `syrve.daily_balance`. Returns how many days."""

    template_fields: Sequence[str] = ()
    reads = ("syrve.wallet_balance", "syrve.wallet_balance_version", "syrve.customer")
    writes = ("syrve.daily_balance",)

    def execute(self, context: Context) -> int:
        """Add up."""
        from syrve.customers.daily_balance import keep_daily_balance

        days = keep_daily_balance(self.warehouse())
        log.info("Added up %d day(s) of organizations", days)
        return days
