"""Plays a log of visits through the project's own statements on a Postgres whose clock is turned by hand."""

import json
import tempfile
import uuid
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.visits import DAY_MINUTES, Log, Signals, Slot, slots
from devstack.postgres import PostgresServer
from syrve.customers.claims import Claimer, PullScope
from syrve.customers.merge import LOOKUP_COLUMNS, finish_lookups
from syrve.customers.pull_settings import PullSettings
from syrve.customers.refit import refit
from syrve.signals.events import Event, items_of, read_events
from syrve.signals.keeping import keep_events
from syrve.signals.work import SignalWork
from syrve.warehouse.copy_text import copy_line, copy_lines
from syrve.warehouse.database import Connection, Cursor, Warehouse, transaction
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.leases import lease
from syrve.warehouse.migrate import migrate
from syrve.warehouse.runs import Counts, TaskKey, add_counts
from syrve.warehouse.staging import prepare_staging

START = datetime(2024, 1, 1, tzinfo=UTC)
ORGANIZATION = "5f4e0009-0000-4000-8000-000000000001"
FIT_MINUTES = 6 * 60
SIGNAL_MINUTES = 120
"""Signals are followed so often here: a replay of each by itself would take hours. What this adds to the delay counts."""
VACUUM_MINUTES = 20 * DAY_MINUTES
DAY_SECONDS = 86400.0
CLOCK = """
create schema virtual;
create function virtual.now() returns timestamptz language sql stable
as $$ select to_timestamp(current_setting('virtual.seconds')::double precision) $$;
create function virtual.clock_timestamp() returns timestamptz language sql stable
as $$ select to_timestamp(current_setting('virtual.seconds')::double precision) $$;
"""
FILL = """
insert into syrve.organization (organization_id, name, time_zone, account, synced_at)
values (%(organization)s, 'replay', 'UTC', 'replay', %(start)s);
insert into sync.call_budget (account, family, calls_per_minute, configured_per_minute)
values ('replay', 'customer', %(per_minute)s, %(per_minute)s);
insert into sync.roster (organization_id, identity_kind, identity_value, source, due_at, added_at)
select %(organization)s, 'id', customer_id, 'replay', %(start)s, %(start)s from unnest(%(customers)s) as customer_id;
"""


class Replay:
    """The roster of one log, and what the service would answer at each moment."""

    def __init__(self, connection: Connection, log: Log, round_days: float, signals: Signals = ()) -> None:
        self._connection = connection
        self._signals = list(signals)
        self._signalled = SignalWork(warehouse=_Same(connection))
        self._debt = 0
        self._log = log
        self._round_days = round_days
        self._ids = [str(uuid.UUID(int=(0x5F4E000A << 96) | number)) for number in range(len(log.names))]
        self._number = {each: number for number, each in enumerate(self._ids)}
        self._visits = [each.tolist() for each in log.visits]
        self._seen: dict[int, int] = {}
        self._minute = -1
        self._settings = PullSettings(ahead_seconds=10_000 * DAY_SECONDS)
        self.looks: list[tuple[int, int]] = []

    @property
    def _slot_minutes(self) -> int:
        """How far ahead a claim is made: what is a small part of any interval, and no more claims than that takes."""
        longest = 360 if self._round_days >= 14 else 180 if self._round_days >= 7 else 60
        return min(longest, SIGNAL_MINUTES) if self._signals else longest

    def play(self) -> None:
        """Spend the look-ups of the whole log."""
        with self._at(0) as cursor:
            values = {"organization": ORGANIZATION, "start": START, "customers": self._ids}
            cursor.execute(FILL, values | {"per_minute": len(self._ids) / self._round_days / DAY_MINUTES})
        with lease(self._connection) as number:
            for slot in slots(self._log, self._round_days, self._slot_minutes):
                if slot.start % FIT_MINUTES == 0:
                    with self._at(slot.start) as cursor:
                        refit(cursor, self._settings)
                if slot.start % VACUUM_MINUTES == 0:
                    self._vacuum()
                self._debt += self._follow(slot.start, number)
                spent = min(self._debt, len(slot.minutes))
                self._debt -= spent
                if slot.minutes[spent:]:
                    self._work(Slot(slot.start, slot.minutes[spent:]), number)

    def _follow(self, minute: int, number: int) -> int:
        """Follow the signals that have come; returns the look-ups that this took, for the budget to bear."""
        come = [each for each in self._signals if each[1] < minute]
        if not come:
            return 0
        del self._signals[: len(come)]
        with self._at(minute) as cursor:
            keep_events(cursor, [(ORGANIZATION, self._event(*each)) for each in come], "webhook")
        self._signalled.take()
        start = START + timedelta(minutes=minute)
        scope = PullScope(ORGANIZATION, tier="signalled")
        claimer = Claimer(scope, self._settings, lease=number, due_before=start)
        found = [self._number[each.value] for each in claimer.claim(self._connection, len(come))]
        with self._at(minute) as cursor:
            self._finish(cursor, [(each, minute) for each in found], number)
            key = TaskKey(f"follow-{minute // DAY_MINUTES}", "syrve_signals.follow")
            add_counts(cursor, key, Counts(calls=len(found)))
            cursor.execute("update sync.run set updated_at = now() where run_id = %s", (key.run_id,))
        self._signalled.evaluate()
        self.looks += [(each, minute) for each in found]
        return len(found)

    def _event(self, customer: int, minute: int) -> Event:
        """Return the notification of a visit, as one that was received."""
        body = {
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{customer} {minute}")),
            "customerId": self._ids[customer],
            "organizationId": ORGANIZATION,
            "walletId": ORGANIZATION,
            "sum": 1,
            "balance": minute,
            "transactionType": "RefillWalletFromOrder",
            "changedOn": (START + timedelta(minutes=minute)).isoformat(),
        }
        (event,) = read_events(items_of(json.dumps(body).encode()), region="RU")
        return event

    def _work(self, slot: Slot, number: int) -> None:
        self._turn(slot.start)
        start = START + timedelta(minutes=slot.start)
        claimer = Claimer(PullScope(ORGANIZATION), self._settings, lease=number, due_before=start)
        found = [self._number[each.value] for each in claimer.claim(self._connection, len(slot.minutes))]
        looks = list(zip(found, slot.minutes, strict=False))
        with self._at(slot.start) as cursor:
            self._finish(cursor, looks, number)
        self.looks += looks

    def _finish(self, cursor: Cursor, looks: list[tuple[int, int]], number: int) -> None:
        lookups, merged = [], []
        for customer, minute in looks:
            at = START + timedelta(minutes=minute)
            visits = bisect_right(self._visits[customer], minute)
            last = START + timedelta(minutes=self._visits[customer][visits - 1]) if visits else None
            found = (ORGANIZATION, "id", self._ids[customer], "found", self._ids[customer], at, last)
            lookups.append(copy_line(found))
            if self._seen.get(customer) != visits:
                merged.append(copy_line((ORGANIZATION, self._ids[customer], at, customer not in self._seen)))
            self._seen[customer] = visits
        copy_lines(cursor, "staging_lookup", LOOKUP_COLUMNS, iter(lookups))
        copy_lines(cursor, "staging_merged", ("organization_id", "customer_id", "fetched_at", "is_new"), iter(merged))
        finish_lookups(cursor, lease=number, settings=self._settings)

    @contextmanager
    def _at(self, minute: int) -> Iterator[Cursor]:
        self._turn(minute)
        with transaction(self._connection, "replay") as cursor:
            yield cursor

    def _turn(self, minute: int) -> None:
        if minute == self._minute:
            return
        self._minute = minute
        seconds = START.timestamp() + 60 * minute
        with transaction(self._connection, "turn the clock") as cursor:
            cursor.execute("select set_config('virtual.seconds', %s, false)", (str(seconds),))

    def _vacuum(self) -> None:
        self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            cursor.execute("vacuum analyze sync.roster")
        self._connection.autocommit = False


class _Same(Warehouse):
    """A warehouse whose connection is the one of the replay: its clock is that connection's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        yield self._connection


def replay(log: Log, round_days: float, signals: Signals = ()) -> list[tuple[int, int]]:
    """Return the look-ups, customer and minute, that the project makes at one per customer in `round_days`, knowing nothing at first.

    Those that `signals` (customer and minute) lead to are of that number.
    """
    with tempfile.TemporaryDirectory(prefix="syrve-replay-") as folder:
        home = Path(folder)
        home.chmod(0o711)
        server = PostgresServer(home / "postgres", home / "postgres.log", durable=False)
        server.start()
        try:
            server.create_database("replay")
            dsn = server.dsn("replay")
            migrate(url_from_text(dsn))
            return replay_in(dsn, log, round_days, signals)
        finally:
            server.stop(grace_seconds=10)
            server.remove()


def replay_in(dsn: str, log: Log, round_days: float, signals: Signals = ()) -> list[tuple[int, int]]:
    """Do the same in a migrated database of the caller's."""
    url = url_from_text(dsn)
    with Warehouse(url).transaction("make the clock") as cursor:
        cursor.execute(CLOCK)
    virtual = Warehouse(url.update_query_dict({"options": "-c search_path=virtual,pg_catalog -c jit=off"}))
    with virtual.connect() as connection:
        prepare_staging(connection)
        played = Replay(connection, log, round_days, signals)
        played.play()
        return played.looks
