"""Claims identities for a task: which part of the roster it works on, and the lease that keeps others off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from syrve.api.models import Lookup
from syrve.customers.pull_settings import PullSettings
from syrve.warehouse.database import Connection, Cursor, transaction
from syrve.warehouse.leases import LEASE_CLASS
from syrve.warehouse.sql_files import sql

Tier = Literal["regular", "active", "all", "signalled"]
"""`active` are the customers who are looked at by the clock (`sync.roster.active_until`); `regular` are the others, and active ones
that are long overdue; `signalled` are those of either whom signals made due."""
NEW_SHARE = 0.5
"""Share of a batch that identities without any answer get while known ones are due: an import of many does not lock those out."""


@dataclass(frozen=True, slots=True)
class PullScope:
    """What one task pulls: identities of one organization, at most `max_identities` of them (None: all).

    Either those of a tier that are due, or those that a backfill has chosen, due or not.
    """

    organization_id: str
    max_identities: int | None = None
    tier: Tier = "regular"
    backfill_id: int | None = None


def grace_seconds(tier: Tier, settings: PullSettings) -> float:
    """Return how long active customers must be overdue for a pull of this tier to take them along."""
    return 0.0 if tier == "all" else settings.active_grace_seconds


class Claimer:
    """Gives the identities of a scope out, some at a time, each leased under `lease` until its look-up is committed."""

    def __init__(self, scope: PullScope, settings: PullSettings, *, lease: int, due_before: datetime) -> None:
        self._scope = scope
        self._settings = settings
        self._left = scope.max_identities
        self._values = {
            "organization_id": scope.organization_id,
            "backfill_id": scope.backfill_id,
            "due_before": due_before,
            "checked_before": due_before - timedelta(seconds=settings.min_interval_seconds),
            "active_grace_seconds": grace_seconds(scope.tier, settings),
            "lease": lease,
            "lease_class": LEASE_CLASS,
            "lease_seconds": settings.lease_seconds,
        }

    def claim(self, connection: Connection, limit: int) -> list[Lookup]:
        """Lease up to `limit` identities and return them; none when the scope is worked off."""
        wanted = limit if self._left is None else min(limit, self._left)
        if wanted <= 0:
            return []
        with transaction(connection, "claim identities") as cursor:
            found = self._claim(cursor, wanted)
        if self._left is not None:
            self._left -= len(found)
        return found

    def _claim(self, cursor: Cursor, wanted: int) -> list[Lookup]:
        if self._scope.backfill_id is not None:
            # Right after the choosing Postgres does not know yet how many are marked, and would rather read and sort them all.
            cursor.execute("set local enable_bitmapscan to off")
            return self._lease(cursor, "claim_backfill", wanted)
        if self._scope.tier == "active":
            return self._lease(cursor, "claim_active", wanted)
        if self._scope.tier == "signalled":
            return self._lease(cursor, "claim_signalled", wanted)
        found = self._lease(cursor, "claim_new", math.ceil(NEW_SHARE * wanted))
        new = len(found)
        if len(found) < wanted:
            found += self._lease(cursor, "claim", wanted - len(found))
        if len(found) < wanted and new == math.ceil(NEW_SHARE * wanted):
            found += self._lease(cursor, "claim_new", wanted - len(found))
        if len(found) < wanted and self._settings.ahead_seconds > 0:
            found += self._lease(cursor, "claim", wanted - len(found), self._settings.ahead_seconds)
        return found

    def _lease(self, cursor: Cursor, statement: str, limit: int, ahead_seconds: float = 0.0) -> list[Lookup]:
        values = self._values | {"batch_limit": limit, "ahead_seconds": ahead_seconds}
        cursor.execute(sql(f"roster/{statement}.sql"), values)
        return [Lookup(self._scope.organization_id, kind, value) for kind, value in cursor.fetchall()]
