"""The roster as a pull and its planning use it, in one place: whoever changes those interfaces changes them here."""

from typing import Any

from syrve.api.models import Lookup
from syrve.customers.claims import Claimer, PullScope
from syrve.customers.pull_settings import PullSettings
from syrve.warehouse.database import Connection, Warehouse, fetch_one, transaction
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.leases import LEASE_CLASS
from syrve.warehouse.sql_files import sql

SETTINGS = PullSettings()
BATCH_SIZE = 500
COUNT_LIMIT = 5_000 * 4  # shard size and shards per organization, as `syrve_customers` has them


class Roster:
    """One task's connection to a roster."""

    def __init__(self, dsn: str, lease: int | None = None) -> None:
        self._claimed: list[Lookup] = []
        self._opened = Warehouse(url_from_text(dsn)).connect()
        self.connection: Connection = self._opened.__enter__()
        with transaction(self.connection, "take a lease") as cursor:
            cursor.execute("select nextval('sync.lease_id')::integer")
            self._lease: int = lease or fetch_one(cursor)[0]
            cursor.execute("select pg_advisory_lock(%s, %s)", (LEASE_CLASS, self._lease))

    def claim(self, organization_id: str, now: Any) -> int:
        """Lease a batch of due identities of an organization and return how many there were."""
        claimer = Claimer(PullScope(organization_id), SETTINGS, lease=self._lease, due_before=now)
        self._claimed = claimer.claim(self.connection, BATCH_SIZE)
        return len(self._claimed)

    def count_due(self, now: Any) -> int:
        """Count what is due, as the planning of a run does; return the number of organizations."""
        values = {
            "due_before": now,
            "active_grace_seconds": SETTINGS.active_grace_seconds,
            "count_limit": COUNT_LIMIT,
        }
        with transaction(self.connection, "plan the pull") as cursor:
            cursor.execute(sql("roster/due.sql"), values)
            return len(cursor.fetchall())

    def finish(self) -> None:
        """Let what was claimed last be due in a day, as at the end of a batch."""
        self._give_back("due_at = now() + interval '1 day', checked_at = now(), ")

    def give_back(self) -> None:
        """Undo the last claim."""
        self._give_back("")

    def now(self) -> Any:
        """Read the server's clock."""
        with transaction(self.connection, "read the clock") as cursor:
            cursor.execute("select now()")
            return fetch_one(cursor)[0]

    def wal_bytes(self) -> int:
        """Read how much WAL the server has written so far."""
        with transaction(self.connection, "read the WAL's end") as cursor:
            cursor.execute("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
            return int(fetch_one(cursor)[0])

    def rows_written(self) -> int:
        """Count the rows of the roster that were inserted or updated so far."""
        with transaction(self.connection, "count the writes") as cursor:
            cursor.execute("select pg_stat_force_next_flush()")
        with transaction(self.connection, "count the writes") as cursor:
            cursor.execute(
                "select n_tup_ins + n_tup_upd from pg_stat_user_tables where relid = 'sync.roster'::regclass"
            )
            return int(fetch_one(cursor)[0])

    def close(self) -> None:
        """Close the connection and free the lease."""
        self._opened.__exit__(None, None, None)

    def _give_back(self, more: str) -> None:
        statement = f"""
            update sync.roster as roster set {more}lease = null, leased_until = null
            from unnest(%s::uuid[], %s::text[], %s::text[]) as claimed (organization_id, identity_kind, identity_value)
            where
                roster.organization_id = claimed.organization_id
                and roster.identity_kind = claimed.identity_kind
                and roster.identity_value = claimed.identity_value
        """
        keys = [(each.organization_id, each.kind, each.value) for each in self._claimed]
        self._claimed = []
        if keys:
            with transaction(self.connection, "give back") as cursor:
                cursor.execute(statement, [list(column) for column in zip(*keys, strict=True)])
