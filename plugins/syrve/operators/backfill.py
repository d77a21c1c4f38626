"""Operators of the backfill: choose the identities and divide them, and end what is done."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from syrve.hooks.run_note import DEFAULT_AIRFLOW_API_CONN_ID, RunNote
from syrve.hooks.warehouse import open_budget
from syrve.operators.base import SyrveOperator, WarehouseOperator, task_key
from syrve.operators.progress import format_backfill
from syrve.operators.rendered import as_flag, as_moment, as_number, as_text, as_texts
from syrve.operators.run_words import leave_words
from syrve.operators.source_base import SourceOperator

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from syrve.customers.backfill import BackfillPlan

log = logging.getLogger(__name__)

SOURCES = ("roster", "ids", "file", "query")


class SyrvePlanBackfillOperator(SourceOperator, SyrveOperator):
    """Chooses the identities of a backfill and divides them into shards, for `SyrvePullCustomersOperator`.

    `source` is `roster` (all customers of the organizations), `ids` (those in `customer_ids`), `file` or `query`; rows of the last two are
    read as those of a roster import. Returns `{"organization_id", "shard", "max_identities", "expected", "backfill_id"}` for each
    shard. A dry run reports how many there are, writes nothing and returns nothing. Cleared, it goes on with the
    backfill of its run.
    """

    # Not among them: customer_ids, which Airflow would keep and show once more; execute renders it.
    template_fields: Sequence[str] = (
        *SourceOperator.template_fields,
        "organization_ids",
        "not_refreshed_since",
        "force",
        "cap_per_minute",
        "is_dry_run",
        "shard_size",
        "max_shards",
    )
    reads = ("sync.roster",)
    writes = ("sync.backfill", "sync.roster")

    def __init__(
        self,
        *,
        organization_ids: list[str] | str | None = None,
        source: str = "roster",
        customer_ids: list[str] | str | None = None,
        not_refreshed_since: str | None = None,
        force: bool | str = False,
        cap_per_minute: int | str | None = None,
        is_dry_run: bool | str = True,
        shard_size: int | str = 5_000,
        max_shards: int | str = 4,
        airflow_api_conn_id: str = DEFAULT_AIRFLOW_API_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(source=source, **kwargs)
        self.organization_ids = organization_ids
        self.customer_ids = customer_ids
        self.not_refreshed_since = not_refreshed_since
        self.force = force
        self.cap_per_minute = cap_per_minute
        self.is_dry_run = is_dry_run
        self.shard_size = shard_size
        self.max_shards = max_shards
        self.airflow_api_conn_id = airflow_api_conn_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Plan the backfill, or count what it would look up."""
        with self._frames(context) as frames:
            return self._planned(context, frames)

    def _planned(self, context: Context, frames: Any) -> list[dict[str, Any]]:
        from syrve.customers.backfill import Backfill, BackfillChoice
        from syrve.organizations import chosen, write_organizations

        hook = self.syrve()
        config, warehouse, key = hook.config(), self.warehouse(), task_key(context)
        is_dry_run, cap = as_flag(self.is_dry_run), as_number(self.cap_per_minute)
        since = self._since()
        with open_budget(warehouse, config, bulk=True, backfill=True) as budget, hook.get_conn(budget) as client:
            organizations = client.organizations()
            calls_per_minute = min(budget.calls_per_minute("customer"), cap or float("inf"))
        visible = [each.organization_id for each in organizations]
        choice = BackfillChoice(
            organization_ids=chosen(visible, as_texts(self.organization_ids)),
            visible=visible,
            source=self.source,
            frames=frames,
            not_refreshed_since=since,
            force=as_flag(self.force),
            cap_per_minute=cap,
        )
        backfill = Backfill(warehouse, choice, key=key, region=config.default_region)
        if is_dry_run:
            plan = backfill.estimate()
        else:
            write_organizations(warehouse, organizations, time_zone=config.time_zone, account=config.login_fingerprint)
            plan = backfill.plan(shard_size=int(self.shard_size), max_shards=int(self.max_shards))
        names = {each.organization_id: each.name for each in organizations}
        summary = _tell(plan, names, calls_per_minute)
        RunNote(context["ti"].dag_id, key.run_id, conn_id=self.airflow_api_conn_id).write(summary)
        if is_dry_run:
            leave_words(context, summary)
        return plan.shards

    def _since(self) -> datetime | None:
        from syrve.sources.errors import UnusableSource

        try:
            return as_moment(self.not_refreshed_since)
        except ValueError:
            raise UnusableSource("not_refreshed_since must be a date or time, such as 2026-09-01T00:00Z") from None

    @contextmanager
    def _frames(self, context: Context) -> Iterator[Any]:
        """Open what the form names; a field that its source does not read is refused, so that no one refreshes what they did not mean."""
        from syrve.sources.errors import UnusableSource

        ids = as_texts(self.render_template(self.customer_ids, context))
        given = {"ids": bool(ids), "file": as_text(self.path) is not None, "query": as_text(self.query) is not None}
        if self.source not in SOURCES:
            raise UnusableSource(f"source must be one of {', '.join(SOURCES)}")
        for source, is_given in given.items():
            if is_given and source != self.source:
                field = {"ids": "customer_ids", "file": "path"}.get(source, source)
                raise UnusableSource(f"{field} is filled, but source is {self.source}: choose {source}, or empty it")
        if self.source == "roster":
            yield None
        elif self.source == "ids":
            if not ids:
                raise UnusableSource("the source is ids, but customer_ids is empty")
            yield rows_of_ids(ids)
        else:
            with self.opened() as opened:
                yield opened.source


class SyrveFinishBackfillOperator(WarehouseOperator):
    """Ends the run's backfill once its pulls have ended well, and hands what got no answer to the scheduled pull.

    Does nothing after a dry run. `count_task_id` is the task of the pull.
    """

    template_fields: Sequence[str] = ()
    reads = ("sync.run",)
    writes = ("sync.backfill",)

    def __init__(
        self,
        *,
        count_task_id: str,
        airflow_api_conn_id: str = DEFAULT_AIRFLOW_API_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.count_task_id = count_task_id
        self.airflow_api_conn_id = airflow_api_conn_id

    def execute(self, context: Context) -> None:
        """End the backfill."""
        from syrve.customers.backfill import finish_backfill, read_progress

        warehouse, run_id = self.warehouse(), context["run_id"]
        ended = finish_backfill(warehouse, run_id)
        progress = read_progress(warehouse, run_id, f"{self.dag_id}.{self.count_task_id}")
        if ended is None or progress is None:
            log.info("The run has no backfill to end: it was a dry run")
            return
        handed_over = f"; {ended[1]:,} left to the scheduled pull" if ended[1] else ""
        summary = f"{format_backfill(progress)}; done{handed_over}"
        log.info("%s", summary)
        RunNote(context["ti"].dag_id, run_id, conn_id=self.airflow_api_conn_id).write(summary)


def rows_of_ids(ids: list[str]) -> list[dict[str, str]]:
    """Make rows of customer ids; raise `UnusableSource`, without repeating it, where one is none."""
    from uuid import UUID

    from syrve.sources.errors import UnusableSource

    for number, each in enumerate(ids, start=1):
        try:
            UUID(each)
        except ValueError:
            raise UnusableSource(
                f"customer_ids: entry {number} is not a customer id; phones and cards go into a file or a query"
            ) from None
    return [{"id": each} for each in ids]


def _tell(plan: BackfillPlan, names: Mapping[str, str | None], calls_per_minute: float) -> str:
    """Log what was chosen, by organization, and return it in one line."""
    is_dry_run = plan.backfill_id is None
    for organization_id, lookups in plan.lookups.items():
        log.info("%s (%s): %s look-ups", names.get(organization_id) or "no name", organization_id, f"{lookups:,}")
    named = plan.named
    if named.rejected:
        where = "would be in" if is_dry_run else "are in"
        log.warning("%d row(s) give no identity; they %s sync.reject, stage import", named.rejected, where)
    if named.elsewhere:
        log.info("%d row(s) are of organizations that this run leaves out", named.elsewhere)
    takes = timedelta(seconds=round(60 * plan.total / calls_per_minute))
    begun = "dry run, nothing was written" if is_dry_run else f"backfill {plan.backfill_id}"
    summary = (
        f"{begun}: {plan.total:,} look-ups in {len(plan.lookups)} organization(s), at least {takes} at {calls_per_minute:,.0f} a minute; "
        "longer while scheduled pulls are at work"
    )
    log.info("%s", summary)
    return summary
