"""Keeps the marks of the ledger where a restore of the warehouse does not reach: in Airflow's metadata, and among the reports."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from syrve.hooks.setting import setting
from syrve.hooks.storage import reports_folder
from syrve.whole_files import put_whole

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from syrve.wallet.fence import Fence, MarkPlace
    from syrve.warehouse.database import Warehouse

FOLDER = "ledger"
_UNREADABLE = "unreadable"
"""No mark of ours: it does not fit, so a person looks."""


def fence_of(warehouse: Warehouse) -> Fence:
    """Return the fence of a warehouse's ledger, for this task."""
    from syrve.wallet.fence import Fence

    return Fence(warehouse, places_of(warehouse), task=_task())


def places_of(warehouse: Warehouse) -> list[MarkPlace]:
    """Return where the marks of a ledger are: a Variable of Airflow, if this is a task, and a file among the reports.

    They are named after the database and the ledger's own id, which a backup keeps: other warehouses have other marks.
    """
    from syrve.warehouse.database import fetch_one

    with warehouse.transaction("read the id of the ledger") as cursor:
        cursor.execute("select ledger_id::text from wallet.ledger")
        ledger_id = str(fetch_one(cursor)[0])
    database = re.sub(r"[^A-Za-z0-9_.-]", "_", warehouse.url.database or "warehouse")
    name = f"{database}_{ledger_id.partition('-')[0]}"
    folder = reports_folder(setting("SYRVE_REPORTS_PATH", "none"), setting("SYRVE_REPORTS_CONNECTION", "none"))
    places: list[MarkPlace] = [FileMark(folder / FOLDER / f"{name}.json")]
    return [VariableMark(f"syrve_ledger_{name}"), *places] if _is_a_task() else places


class VariableMark:
    """A mark in a Variable of Airflow."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.name = f"the Variable {key}"

    def read(self) -> object:
        """Return the Variable, None if there is none."""
        from airflow.sdk import Variable
        from airflow.sdk.exceptions import AirflowRuntimeError

        from syrve.wallet.fence import PlaceUnreachable

        try:
            return _parsed(Variable.get(self.key, default=None))
        except AirflowRuntimeError as problem:
            raise PlaceUnreachable(self.name) from problem

    def write(self, mark: Mapping[str, object]) -> None:
        """Set the Variable."""
        from airflow.sdk import Variable
        from airflow.sdk.exceptions import AirflowRuntimeError

        from syrve.wallet.fence import PlaceUnreachable

        try:
            Variable.set(
                self.key, json.dumps(mark, sort_keys=True), description="Newest epoch of the ledger: don't edit"
            )
        except AirflowRuntimeError as problem:
            raise PlaceUnreachable(self.name) from problem


class FileMark:
    """A mark in a file, on any storage that Airflow writes."""

    def __init__(self, path: ObjectStoragePath) -> None:
        self._path = path
        self.name = f"the file {path.name}"

    def read(self) -> object:
        """Return the file's content, None if there is no file."""
        from syrve.wallet.fence import PlaceUnreachable

        try:
            return _parsed(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            return _UNREADABLE
        except Exception as problem:  # each storage has its own errors
            raise PlaceUnreachable(f"{self.name} ({type(problem).__name__})") from problem

    def write(self, mark: Mapping[str, object]) -> None:
        """Write the file, whole or not at all."""
        from syrve.wallet.fence import PlaceUnreachable

        try:
            put_whole(self._path, json.dumps(mark, sort_keys=True).encode())
        except Exception as problem:  # each storage has its own errors
            raise PlaceUnreachable(f"{self.name} ({type(problem).__name__})") from problem


def _parsed(text: object) -> object:
    if text is None:
        return None
    try:
        return json.loads(str(text))
    except (ValueError, RecursionError):
        return _UNREADABLE


def _is_a_task() -> bool:
    """Whether this process may ask Airflow for Variables: a task, or `dag.test()`."""
    from airflow.sdk.execution_time import task_runner

    return hasattr(task_runner, "SUPERVISOR_COMMS")


def _task() -> str:
    named = [os.environ.get(f"AIRFLOW_CTX_{part}", "") for part in ("DAG_ID", "TASK_ID")]
    return ".".join(filter(None, named)) or "a program"
