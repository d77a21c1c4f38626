"""What the operators share: their connections, who they are in `sync.run`, and how they report."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from syrve.hooks.syrve import SyrveHook
from syrve.hooks.warehouse import DEFAULT_WAREHOUSE_CONN_ID, open_budget, open_warehouse

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.api.models import Organization
    from syrve.approvals.book import RunOf
    from syrve.warehouse.database import Warehouse
    from syrve.warehouse.runs import Counts, TaskKey

log = logging.getLogger(__name__)


class WarehouseOperator(BaseOperator):
    """An operator that works in the warehouse of `warehouse_conn_id`."""

    def __init__(self, *, warehouse_conn_id: str = DEFAULT_WAREHOUSE_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.warehouse_conn_id = warehouse_conn_id

    def warehouse(self) -> Warehouse:
        """Return the warehouse."""
        return open_warehouse(self.warehouse_conn_id)


class SyrveOperator(WarehouseOperator):
    """An operator that also knows the Syrve account of `syrve_conn_id`."""

    def __init__(self, *, syrve_conn_id: str = SyrveHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.syrve_conn_id = syrve_conn_id

    def syrve(self) -> SyrveHook:
        """Return the hook of the account."""
        return SyrveHook(self.syrve_conn_id)

    def refreshed_organizations(self, *, bulk: bool = True) -> list[Organization]:
        """List the organizations of the api login, store them in `syrve.organization` and return them."""
        from syrve.organizations import write_organizations

        hook, warehouse = self.syrve(), self.warehouse()
        config = hook.config()
        with open_budget(warehouse, config, bulk=bulk) as budget, hook.get_conn(budget) as client:
            organizations = client.organizations()
        write_organizations(warehouse, organizations, time_zone=config.time_zone, account=config.login_fingerprint)
        return organizations


def task_key(context: Context) -> TaskKey:
    """Return the key of the running task in `sync.run`."""
    from syrve.warehouse.runs import TaskKey

    ti = context["ti"]
    map_index = ti.map_index if ti.map_index is not None else -1
    return TaskKey(context["run_id"], f"{ti.dag_id}.{ti.task_id}", map_index)


def run_of(context: Context) -> RunOf:
    """Return the running task's run with the user of Airflow who started it; a run by schedule or asset has none."""
    from syrve.approvals.book import RunOf

    run = context.get("dag_run")
    return RunOf(context["ti"].dag_id, context["run_id"], getattr(run, "triggering_user_name", None) or "")


def told(counts: Counts) -> str:
    """Say counts in one line, leaving out what is zero."""
    numbers: Mapping[str, Any] = counts.as_dict()
    return (
        ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in numbers.items() if value) or "nothing to do"
    )


@contextmanager
def organization_served(warehouse: Warehouse, organization_id: str, *, operation: str, key: TaskKey) -> Iterator[None]:
    """Skip the task where loyalty is not set up for the organization, leaving a finding; close the finding where it is served."""
    from syrve.api.errors import LoyaltyNotConfigured
    from syrve.organizations import note_served, note_without_loyalty

    try:
        yield
    except LoyaltyNotConfigured as error:
        note_without_loyalty(warehouse, organization_id, error, key=key)
        raise AirflowSkipException(f"{organization_id} is passed over: {error.message}; see sync.reject") from None
    note_served(warehouse, organization_id, operation=operation)
