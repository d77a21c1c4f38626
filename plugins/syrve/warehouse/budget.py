"""Keeps the budgets of calls per minute in Postgres, for all tasks on all machines."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from syrve.grants import Grant
from syrve.warehouse.database import Connection, Warehouse, fetch_one, transaction
from syrve.warehouse.sql_files import sql

HORIZON_SECONDS = 1.0
"""How far ahead pulls take permits, and so the longest that anybody else queues behind them.

Where others queue further ahead themselves, pulls still take their own share, a permit at a time."""


class CallBudget:
    """The budgets of one account; `per_minute` is by family, a family without one is not limited.

    `bulk` is for pulls: they leave room to others. `backfill` is for pulls that come behind the scheduled ones, with `cap_per_minute` as
    the most that all backfills with a cap may take together (None: what is there). Safe to share between threads; use it as a context
    manager. Every method raises `WarehouseError`.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        account: str,
        per_minute: Mapping[str, int],
        bulk: bool,
        backfill: bool = False,
        cap_per_minute: float | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._account = account
        self._per_minute = dict(per_minute)
        self._bulk = bulk
        self._backfill = backfill
        self._cap_per_minute = cap_per_minute
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._opened = self._warehouse.connect()
        self._connection: Connection = self._opened.__enter__()
        with transaction(self._connection, "set the call budgets up") as cursor:
            # A crash of the server may forget the last permits, and no more: not worth a disk write for each grant.
            cursor.execute("set synchronous_commit to off")
            for family, limit in sorted(self._per_minute.items()):
                values = {"account": self._account, "family": family, "per_minute": limit}
                cursor.execute(sql("budget/configure.sql"), values)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened.__exit__(None, None, None)

    def take(self, family: str, wanted: int) -> Grant:
        """Take up to `wanted` permits of a family; a pull gets at most what fits into half of its horizon."""
        limit = self._per_minute.get(family)
        if limit is None:
            return Grant(wanted, 0.0, 0.0)
        most = max(1, int(min(limit, self._cap_per_minute or limit) / 60 * HORIZON_SECONDS / 2))
        values = self._key(family) | {
            "permits": min(wanted, most),
            "bulk": self._bulk,
            "backfill": self._backfill,
            "cap_per_minute": self._cap_per_minute,
            "horizon_seconds": HORIZON_SECONDS,
        }
        with self._lock, transaction(self._connection, "take call permits") as cursor:
            cursor.execute(sql("budget/take.sql"), values)
            return Grant(*fetch_one(cursor))

    def calls_per_minute(self, family: str) -> float:
        """Return the budget of a family as it is in force now."""
        with self._lock, transaction(self._connection, "read the call budget") as cursor:
            cursor.execute(
                "select calls_per_minute from sync.call_budget where account = %(account)s and family = %(family)s",
                self._key(family),
            )
            return float(fetch_one(cursor)[0])

    def pause(self, family: str, seconds: float) -> None:
        """Hold back everybody's calls of a family for so long."""
        with self._lock, transaction(self._connection, "pause calls") as cursor:
            cursor.execute(sql("budget/pause.sql"), self._key(family) | {"seconds": seconds})

    def _key(self, family: str) -> dict[str, Any]:
        return {"account": self._account, "family": family}
