"""What the operators share: who they are in `sync.run`, and how they report."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.approvals.book import RunOf
    from syrve.warehouse.database import Warehouse
    from syrve.warehouse.runs import Counts, TaskKey

log = logging.getLogger(__name__)


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
