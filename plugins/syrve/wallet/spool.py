"""Keeps outcomes of money calls on this machine while the warehouse is away, so that Syrve's answer is not in memory only."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from syrve.wallet.operations import State, is_uuid
from syrve.whole_files import put_whole

log = logging.getLogger(__name__)

FOLDER = "syrve-outcomes"


@dataclass(frozen=True, slots=True)
class KeptOutcome:
    """An outcome that could not be written yet: what the event will hold."""

    state: State
    evidence: Mapping[str, Any]
    correlation_id: str | None = None


class Spool:
    """One file per operation in one folder, none of them with personal data; a folder that can't be written loses nothing else."""

    def __init__(self, folder: str | None = None) -> None:
        home = os.environ.get("AIRFLOW_HOME") or str(Path.home() / "airflow")
        given = folder or os.environ.get("SYRVE_WALLET_SPOOL", "none")
        self._folder = Path(home) / FOLDER if given.lower() in ("", "none") else Path(given)

    def keep(self, operation_id: str, outcome: KeptOutcome) -> bool:
        """Write an outcome to the disk before returning; says whether that could be done."""
        content = {
            "state": outcome.state,
            "evidence": dict(outcome.evidence),
            "correlation_id": outcome.correlation_id,
        }
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            put_whole(self._path(operation_id), json.dumps(content).encode(), mode=0o600)
        except OSError as problem:
            log.error("The outcome of operation %s can't be kept on this machine: %s", operation_id, problem.strerror)
            return False
        return True

    def has(self, operation_id: str) -> bool:
        """Whether an outcome is kept, readable or not: then the operation was sent."""
        return self._path(operation_id).exists()

    def find(self, operation_id: str) -> KeptOutcome | None:
        """Read a kept outcome, None if there is none that can be read."""
        try:
            content = json.loads(self._path(operation_id).read_text())
            return KeptOutcome(cast("State", content["state"]), content["evidence"], content["correlation_id"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as problem:
            log.error("The kept outcome of operation %s can't be read: %s", operation_id, type(problem).__name__)
            return None

    def operations(self) -> list[str]:
        """Return the operations whose outcomes are kept here."""
        names = [path.stem for path in self._folder.glob("*.json")] if self._folder.is_dir() else []
        return sorted(name for name in names if is_uuid(name))

    def drop(self, operation_id: str) -> None:
        """Forget an outcome that the ledger has."""
        self._path(operation_id).unlink(missing_ok=True)

    def _path(self, operation_id: str) -> Path:
        return self._folder / f"{UUID(operation_id)}.json"
