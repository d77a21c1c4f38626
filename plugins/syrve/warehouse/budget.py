"""Keeps the budgets of calls per minute in Postgres, for all tasks on all machines."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, Self

from syrve.grants import Grant
from syrve.warehouse.database import Connection, Warehouse, fetch_one, transaction
from syrve.warehouse.sql_files import sql

HORIZON_SECONDS = 1.0
"""How far ahead pulls take permits, and so the longest that other callers queue behind them.

Where others queue further ahead themselves, pulls still take their own share, a permit at a time."""
IN_FLIGHT_CLASS = 0x535A
"""First key of the advisory locks that stand for calls under way: they go with the connection, so a dead worker's are free at once."""
_SPACED_SECONDS = 60.6
_LATENCY_STEP = 0.1


class CallBudget:
    """The budgets of one account; `per_minute` is by family, a family without one is not limited.

    `bulk` is for pulls: they leave room to others. `backfill` is for pulls that come behind the scheduled ones, with
    `cap_per_minute` as the most that all backfills with a cap may take together (None: what is there). Of the families in `auto`
    the number is a cap, below which the budget finds what Syrve allows (`sql/budget/take.sql`), beginning at `start_per_minute`.
    `max_in_flight` bounds the calls that all tasks together have under way; a place is freed when its holder's connection ends,
    however its process came to its end. Safe to share between threads; use it as a context manager. Every method raises
    `WarehouseError`.
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
        auto: Collection[str] = (),
        start_per_minute: Mapping[str, int] | None = None,
        max_in_flight: Mapping[str, int] | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._account = account
        self._per_minute = dict(per_minute)
        self._bulk = bulk
        self._backfill = backfill
        self._cap_per_minute = cap_per_minute
        self._auto = frozenset(auto)
        self._start_per_minute = dict(start_per_minute or {})
        self._max_in_flight = dict(max_in_flight or {})
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        self._pace: dict[str, float] = {}
        self._latency_seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._opened = self._warehouse.connect()
        self._connection: Connection = self._opened.__enter__()
        with transaction(self._connection, "set the call budgets up") as cursor:
            # A crash of the server may forget the last permits, and no more: not worth a disk write for each grant.
            cursor.execute("set synchronous_commit to off")
            for family, limit in sorted(self._per_minute.items()):
                values = self._key(family) | {
                    "per_minute": limit,
                    "is_auto": family in self._auto,
                    "start_per_minute": self._start_per_minute.get(family, limit),
                }
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
        pace = min(limit, self._pace.get(family, 0.0)) if family in self._auto else limit
        most = max(1, int(min(pace, self._cap_per_minute or pace) / 60 * HORIZON_SECONDS / 2))
        values = self._key(family) | {
            "permits": min(wanted, most),
            "bulk": self._bulk,
            "backfill": self._backfill,
            "cap_per_minute": self._cap_per_minute,
            "horizon_seconds": HORIZON_SECONDS,
            "latency_seconds": self._latency_seconds.get(family),
        }
        with self._lock, transaction(self._connection, "take call permits") as cursor:
            cursor.execute(sql("budget/take.sql"), values)
            grant = Grant(*fetch_one(cursor))
        self._pace[family] = _SPACED_SECONDS / grant.spacing_seconds
        return grant

    def calls_per_minute(self, family: str) -> float:
        """Return the budget of a family as it is in force now."""
        with self._lock, transaction(self._connection, "read the call budget") as cursor:
            cursor.execute(
                "select calls_per_minute from sync.call_budget where account = %(account)s and family = %(family)s",
                self._key(family),
            )
            return float(fetch_one(cursor)[0])

    def pause(self, family: str, seconds: float) -> None:
        """Hold back all calls of a family for that time: Syrve refused one; a budget that finds its limit gets smaller."""
        with self._lock, transaction(self._connection, "pause calls") as cursor:
            cursor.execute(sql("budget/pause.sql"), self._key(family) | {"seconds": seconds})

    def answered(self, family: str, seconds: float) -> None:
        """Note how long an answer took; the next `take` tells it."""
        known = self._latency_seconds.get(family, seconds)
        self._latency_seconds[family] = known + _LATENCY_STEP * (seconds - known)

    def bounds_in_flight(self, family: str) -> bool:
        """Whether calls of a family under way at once are bounded."""
        return family in self._max_in_flight

    def enter(self, family: str) -> bool:
        """Take one of the places for calls under way, which all tasks share; False while others have them all."""
        with self._lock, transaction(self._connection, "take a place for a call") as cursor:
            held = self._places[family]
            values = self._place(family) | {"most": self._max_in_flight[family], "held": held}
            cursor.execute(sql("budget/enter.sql"), values)
            found = cursor.fetchone()
            if found is not None:
                held.append(found[0])
            return found is not None

    def leave(self, family: str) -> None:
        """Give a place back."""
        with self._lock, transaction(self._connection, "give a place for a call back") as cursor:
            values = self._place(family) | {"place": self._places[family].pop()}
            cursor.execute("select pg_advisory_unlock(%(class)s, hashtext(%(key)s || %(place)s::text))", values)

    def _place(self, family: str) -> dict[str, Any]:
        return {"class": IN_FLIGHT_CLASS, "key": f"{self._account} {family} "}

    def _key(self, family: str) -> dict[str, Any]:
        return {"account": self._account, "family": family}
