"""What the operators share: their connections, who they are in `sync.run`, and how they report."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import AssetAlias, BaseOperator, BaseOperatorLink
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException

from syrve.hooks.syrve import SyrveHook
from syrve.hooks.warehouse import DEFAULT_WAREHOUSE_CONN_ID, open_budget, open_warehouse
from syrve.operators import assets, settings
from syrve.operators.links import SyrvePageLink, SyrveRejectsLink
from syrve.operators.metrics import Meter
from syrve.operators.own_templates import OwnTemplates, connection_arguments
from syrve.operators.run_words import leave_run_words
from syrve.operators.starter import doubt_about_start, doubt_about_starter

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context
    from sqlalchemy import URL

    from syrve.api.models import Organization
    from syrve.approvals.book import RunOf
    from syrve.warehouse.database import Warehouse
    from syrve.warehouse.runs import Counts, TaskKey

log = logging.getLogger(__name__)

MOST_UNSEEN = 20
"""Organizations beyond these are not named: any row of the CRM may name one."""


def with_connections(operator: type[BaseOperator]) -> tuple[str, ...]:
    """Return the template fields of an operator with every parameter that names a connection."""
    return tuple(dict.fromkeys((*operator.template_fields, *sorted(connection_arguments(operator)))))


class WarehouseOperator(OwnTemplates, BaseOperator):
    """An operator that works in the warehouse of `warehouse_conn_id`.

    `reads` and `writes` name the tables that its lineage shows. Every parameter that names a connection may be a template.
    """

    reads: ClassVar[Sequence[str]] = ()
    writes: ClassVar[Sequence[str]] = ()
    template_fields: Sequence[str] = ("warehouse_conn_id",)
    operator_extra_links: Collection[BaseOperatorLink] = (SyrvePageLink(), SyrveRejectsLink())

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.template_fields = with_connections(cls)

    def __init__(self, *, warehouse_conn_id: str = DEFAULT_WAREHOUSE_CONN_ID, **kwargs: Any) -> None:
        kwargs.setdefault("post_execute", leave_run_words)
        super().__init__(**kwargs)
        self.warehouse_conn_id = warehouse_conn_id
        self._url: URL | None = None

    def pre_execute(self, context: Context) -> None:
        """Let the index of a mapped task name its organization: `{{ organization_name | default(task.organization_id) }}`."""
        super().pre_execute(context)
        organization_id, map_index = getattr(self, "organization_id", None), context["ti"].map_index
        if organization_id and map_index is not None and map_index >= 0:
            name = organization_name(self.warehouse_conn_id, str(organization_id))
            context["organization_name"] = name or str(organization_id)  # type: ignore[typeddict-unknown-key]

    def warehouse(self) -> Warehouse:
        """Return the warehouse."""
        warehouse = open_warehouse(self.warehouse_conn_id)
        self._url = warehouse.url
        return warehouse

    def finish(self, context: Context, counts: Counts, *, meter: Meter | None = None, is_trial: bool = False) -> None:
        """Send the task's metrics and, unless it was a trial, update the assets of the tables that it changed.

        A job that does not name its tables changed all outlets of the task if it changed anything.
        """
        (meter or Meter(context))(counts)
        if is_trial:
            return
        outlets = {outlet.name for outlet in self.outlets if isinstance(outlet, AssetAlias)}
        self.publish(context, counts.changed_tables or (outlets if counts.changed else ()), counts.as_dict())

    def publish(self, context: Context, tables: Collection[str], extra: Mapping[str, Any]) -> None:
        """Update the assets of those tables that are outlets of this task; `extra` holds counts and no data."""
        url = self._url or self.warehouse().url
        published = assets.publish(context, self.outlets, url, tables, extra)
        if published:
            log.info("Updated: %s", ", ".join(published))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the tables that were read and written; Airflow's OpenLineage provider asks for it where it is installed and turned on."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        url = self._url
        if url is None:
            return OperatorLineage()
        inputs, outputs = (
            [assets.lineage_dataset(url, table) for table in tables] for tables in (self.reads, self.writes)
        )
        return OperatorLineage(inputs=inputs, outputs=outputs)


class SyrveOperator(WarehouseOperator):
    """An operator that also knows the Syrve account of `syrve_conn_id`."""

    def __init__(self, *, syrve_conn_id: str = SyrveHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.syrve_conn_id = syrve_conn_id

    def syrve(self) -> SyrveHook:
        """Return the hook of the account."""
        return SyrveHook(self.syrve_conn_id)

    def refreshed_organizations(self, context: Context, *, bulk: bool = True) -> list[Organization]:
        """List the organizations of the api login, store in `syrve.organization` what differs, and return them all."""
        from syrve.organizations import write_organizations

        hook, warehouse = self.syrve(), self.warehouse()
        config = hook.config()
        with open_budget(warehouse, config, bulk=bulk) as budget, hook.get_conn(budget) as client:
            organizations = client.organizations()
        written = write_organizations(
            warehouse, organizations, time_zone=config.time_zone, account=config.login_fingerprint
        )
        self.publish(context, {assets.ORGANIZATION.name} if written else (), {"changed": written})
        return organizations


def organization_name(warehouse_conn_id: str, organization_id: str) -> str | None:
    """Return the name of an organization; None if it is not known, or the warehouse is away: a name is no reason to fail."""
    from syrve.warehouse.errors import WarehouseError

    query = "select name from syrve.organization where organization_id::text = %s"
    try:
        with open_warehouse(warehouse_conn_id).transaction("read the name of an organization") as cursor:
            cursor.execute(query, (organization_id,))
            row = cursor.fetchone()
    except (WarehouseError, AirflowNotFoundException) as error:
        log.info("The index of this task shows an id: %s", error)
        return None
    return str(row[0]) if row and row[0] else None


def warn_of_unseen(what: str, organization_ids: Sequence[str]) -> None:
    """Warn of organizations that are named and that the api login does not see, of some of them if there are many."""
    for organization_id in organization_ids[:MOST_UNSEEN]:
        log.warning("%s of %s, which the api login does not see; they are left alone", what, organization_id)
    if len(organization_ids) > MOST_UNSEEN:
        log.warning("%s of more such organizations", what)


def task_key(context: Context) -> TaskKey:
    """Return the key of the running task in `sync.run`."""
    from syrve.warehouse.runs import TaskKey

    ti = context["ti"]
    map_index = ti.map_index if ti.map_index is not None else -1
    return TaskKey(context["run_id"], f"{ti.dag_id}.{ti.task_id}", map_index)


def run_of(context: Context) -> RunOf:
    """Return the running task's run with the user of Airflow who started it; a run by schedule or asset has none.

    Where one person may approve alone (`SYRVE_SELF_APPROVAL`), it does not matter who that was.
    """
    from syrve.approvals.book import RunOf

    run = context.get("dag_run")
    started_by = getattr(run, "triggering_user_name", None) or ""
    doubt = "" if settings.SELF_APPROVAL else doubt_about_starter(context)
    return RunOf(context["ti"].dag_id, context["run_id"], started_by, doubt)


def planning_run_of(context: Context, warehouse: Warehouse) -> RunOf:
    """Return the run as `run_of` does, for a task that plans what takes two people, before it reads anything: it records its try."""
    run = run_of(context)
    return run if settings.SELF_APPROVAL or run.doubt else replace(run, doubt=doubt_about_start(context, warehouse))


def format_counts(counts: Counts) -> str:
    """Say counts in one line, leaving out what is zero."""
    numbers: Mapping[str, Any] = counts.as_dict()
    return (
        ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in numbers.items() if value) or "nothing to do"
    )


@contextmanager
def organization_served(warehouse: Warehouse, organization_id: str, *, operation: str, key: TaskKey) -> Iterator[None]:
    """Skip the task where loyalty is not set up for the organization, leaving a reject; close the reject where it is served."""
    from syrve.api.errors import LoyaltyNotConfigured
    from syrve.organizations import note_passed_over, note_served

    try:
        yield
    except LoyaltyNotConfigured as error:
        note_passed_over(warehouse, organization_id, error.message, operation=operation, key=key)
        raise AirflowSkipException(f"{organization_id} is passed over: {error.message}; see sync.reject") from None
    note_served(warehouse, organization_id, operation=operation)
