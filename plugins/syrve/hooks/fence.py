"""Keeps the marks of the ledger where a restore of the warehouse does not reach: in Airflow's metadata, and among the reports."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from syrve.hooks.setting import setting
from syrve.hooks.storage import reports_folder

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from syrve.wallet.fence import MarkPlace
    from syrve.warehouse.database import Warehouse

FOLDER = "ledger"
_UNREADABLE = "unreadable"
"""No mark of ours: it does not fit, so a person looks."""


@contextmanager
def within_fence(warehouse: Warehouse) -> Iterator[Callable[[str], None]]:
    """Prove that the ledger is as new as its marks; gives what to call at each step, which marks every call before it is made.

    The step `... sent` comes when the call is in the ledger and not yet made. A ledger that is set back to before it lacks what the mark
    names, also under a task that is running. Raises `LedgerFenced`, `MoneyNotSent`, `WarehouseError`.
    """
    from syrve.wallet.fence import Fence

    fence = Fence(warehouse, places_of(warehouse), task=_task())
    fence.mark()

    def note(step: str) -> None:
        if step.endswith(" sent"):
            fence.mark()

    yield note


def places_of(warehouse: Warehouse) -> list[MarkPlace]:
    """Return where the marks of a warehouse are: a Variable of Airflow, if this is a task, and a file among the reports."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", warehouse.url.database or "warehouse")
    folder = reports_folder(setting("SYRVE_REPORTS_PATH", "none"), setting("SYRVE_REPORTS_CONNECTION", "none"))
    places: list[MarkPlace] = [FileMark(folder / FOLDER / f"{name}.json")]
    return [VariableMark(f"syrve_ledger_{name}"), *places] if _is_a_task() else places


class VariableMark:
    """A mark in a Variable of Airflow."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.name = f"the Variable {key}"

    def read(self) -> object:
        """Return the Variable, None where there is none."""
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
        """Return the file's content, None where there is no file."""
        from syrve.wallet.fence import PlaceUnreachable

        try:
            return _parsed(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            return _UNREADABLE
        except Exception as problem:  # each storage has errors of its own
            raise PlaceUnreachable(f"{self.name} ({type(problem).__name__})") from problem

    def write(self, mark: Mapping[str, object]) -> None:
        """Write the file, whole or not at all: an object store shows a file once it is complete, a folder by renaming it."""
        from syrve.wallet.fence import PlaceUnreachable

        text = json.dumps(mark, sort_keys=True)
        try:
            if self._path.protocol not in ("", "file", "local"):
                self._path.write_text(text, encoding="utf-8")
                return
            target = Path(self._path.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
            part.write_text(text, encoding="utf-8")
            part.replace(target)
        except Exception as problem:  # each storage has errors of its own
            raise PlaceUnreachable(f"{self.name} ({type(problem).__name__})") from problem


def _parsed(text: object) -> object:
    if text is None:
        return None
    try:
        return json.loads(str(text))
    except ValueError:
        return _UNREADABLE


def _is_a_task() -> bool:
    """Whether this process may ask Airflow for Variables: a task, or `dag.test()`."""
    from airflow.sdk.execution_time import task_runner

    return hasattr(task_runner, "SUPERVISOR_COMMS")


def _task() -> str:
    named = [os.environ.get(f"AIRFLOW_CTX_{part}", "") for part in ("DAG_ID", "TASK_ID")]
    return ".".join(filter(None, named)) or "a program"
