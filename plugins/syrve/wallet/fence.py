"""Stops every money call while the ledger may be older than the world: after a restore, or a failover that lost its tail.

A ledger that was set back would send again what it no longer knows. So it is compared with marks outside the warehouse: each holds the
newest epoch that the ledger had, and the server that it was in. A mark that the ledger lacks, a server that changed, and a ledger with a
past that nothing outside knows of close the fence (`wallet.fence`); a person lifts it (`wallet.fence_lift`), and by that accepts those
marks and no others. The table of operations refuses to send while the fence is closed, for every writer.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from syrve.wallet.errors import LedgerFenced, MoneyNotSent, WalletError
from syrve.wallet.ledger import Ledger
from syrve.wallet.operations import is_uuid
from syrve.warehouse.copy_text import json_text
from syrve.warehouse.database import Connection, Cursor, Warehouse, fetch_one, transaction
from syrve.warehouse.sql_files import sql

log = logging.getLogger(__name__)

NOWHERE = "nowhere"
LOCK_WAIT_SECONDS = 60.0
_SERVER_PARTS = frozenset({"cluster", "timeline", "database", "ledger"})


class PlaceUnreachable(WalletError):
    """A place of marks can't be read or written now; the text names no content of it."""


class MarkPlace(Protocol):
    """A place outside the warehouse that keeps one mark; both methods raise `PlaceUnreachable`."""

    @property
    def name(self) -> str:
        """What the place is called in messages."""

    def read(self) -> object:
        """Return what was written last, as JSON gives it back; None if nothing was."""

    def write(self, mark: Mapping[str, object]) -> None:
        """Keep a mark in place of the former one."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The newest epoch of a ledger, its number, and the server that the ledger was in."""

    epoch_id: str
    number: int
    server: Mapping[str, str]


class Fence:
    """Compares a ledger with its marks. `task` says in `wallet.epoch` who was about to move money."""

    def __init__(self, warehouse: Warehouse, places: Sequence[MarkPlace], *, task: str) -> None:
        self._ledger = Ledger(warehouse)
        self._places = places
        self._task = task

    def check(self) -> None:
        """Prove that the ledger is as new as the marks. Raises as `mark` does."""
        with self._alone() as connection:
            self._compare(connection)

    def mark(self) -> None:
        """Prove that the ledger is as new as the marks, and mark that it goes on: before each money call, once the call is in the ledger.

        Raises `LedgerFenced` if the ledger may be older, `MoneyNotSent` if a place can't be read or none takes the mark, and
        `WarehouseError`.
        """
        with self._alone() as connection:
            self._compare(connection)
            with transaction(connection, "begin an epoch of the ledger") as cursor:
                cursor.execute(
                    "insert into wallet.epoch (begun_by) values (%s) returning epoch_id::text, number, wallet.ledger_server()",
                    (self._task,),
                )
                mark = Mark(*fetch_one(cursor))
            taken = [self._write(place, mark) for place in self._places]
            if not any(taken):
                raise MoneyNotSent(
                    "no place outside the warehouse took the mark of the ledger, so a restore could not be detected"
                )
            with transaction(connection, "note that an epoch is marked") as cursor:
                cursor.execute("update wallet.epoch set is_marked = true where epoch_id = %s", (mark.epoch_id,))

    def _alone(self) -> AbstractContextManager[Connection]:
        """Keep other processes away, so that no mark is written over by an older one."""
        return self._ledger.alone("the mark of the ledger", wait_seconds=LOCK_WAIT_SECONDS)

    def _compare(self, connection: Connection) -> None:
        marks = {place.name: self._read(place) for place in self._places}
        with transaction(connection, "compare the ledger with its marks") as cursor:
            closed = self._closed(cursor, marks)
        if closed is not None:
            raise LedgerFenced(
                f"no money is moved: {closed}. Compare wallet.restore_suspect with Syrve, then lift the fence "
                "(docs/production.md, After a restore)"
            )

    def _closed(self, cursor: Cursor, marks: Mapping[str, Mark | None]) -> str | None:
        """Say why the fence is closed, and close it if the marks show something that no person has accepted."""
        cursor.execute(
            sql("wallet/fence.sql"), {"epochs": [mark.epoch_id for mark in marks.values() if mark is not None]}
        )
        server, newest, known, closed, accepted = fetch_one(cursor)
        found = _misfits(marks, server, newest, set(known))
        fresh = [each for each in found if each not in accepted]
        if fresh and closed is None:
            closed = "; ".join(sorted({_reason(each) for each in fresh}))
            cursor.execute(
                "insert into wallet.fence (reason, evidence) values (%s, %s)", (closed, json_text(list(fresh)))
            )
        return str(closed) if closed is not None else None

    def _read(self, place: MarkPlace) -> Mark | None:
        try:
            return _mark_of(place.read())
        except PlaceUnreachable as problem:
            raise MoneyNotSent(
                f"{problem} can't be read, so it is not known whether the ledger is as new as its mark"
            ) from problem

    def _write(self, place: MarkPlace, mark: Mark) -> bool:
        try:
            place.write(asdict(mark))
        except PlaceUnreachable as problem:
            log.warning("The mark of the ledger can't be written: %s", problem)
            return False
        return True


def _mark_of(kept: object) -> Mark | None:
    """Read a mark; one that cannot be a mark of ours is one that no ledger has."""
    if kept is None:
        return None
    if isinstance(kept, dict):
        epoch, number, server = (kept.get(name) for name in ("epoch_id", "number", "server"))
        if isinstance(epoch, str) and is_uuid(epoch) and isinstance(number, int) and isinstance(server, dict):
            return Mark(epoch, number, {str(name): str(value) for name, value in server.items()})
    return Mark("00000000-0000-0000-0000-000000000000", 0, {})


def _misfits(
    marks: Mapping[str, Mark | None], server: Mapping[str, str], newest: str | None, known: set[str]
) -> list[dict[str, Any]]:
    """Return what does not fit, each with all that a person accepts by lifting: a later misfit is another one."""
    here = {"now": dict(server)}
    found: list[dict[str, Any]] = []
    for name, mark in marks.items():
        if mark is None:
            continue
        if mark.epoch_id not in known:
            found.append(
                here | {"place": name, "epoch_id": mark.epoch_id, "what": "unknown epoch", "then": dict(mark.server)}
            )
        elif dict(mark.server) != dict(server):
            found.append(
                here | {"place": name, "epoch_id": mark.epoch_id, "what": "other server", "then": dict(mark.server)}
            )
    if newest is not None and not any(marks.values()):
        found.append(here | {"place": NOWHERE, "epoch_id": newest, "what": "no mark", "then": {}})
    return found


def _reason(misfit: Mapping[str, Any]) -> str:
    if misfit["what"] == "unknown epoch":
        return f"the ledger lacks what {misfit['place']} says it had, so it was restored or lost its end"
    if misfit["what"] == "no mark":
        return "the ledger has a past that nothing outside the warehouse knows of"
    changed = sorted(part for part in _SERVER_PARTS if misfit["then"].get(part) != misfit["now"].get(part))
    return f"the ledger is on another server, or was promoted or restored, since {misfit['place']} was written ({', '.join(changed)})"
