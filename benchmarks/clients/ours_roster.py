"""The roster's statements as the pull sends them, in one place: whoever changes their parameters changes them here."""

from typing import Any

import psycopg2
import psycopg2.extensions

from syrve.customers.settings import PullSettings
from syrve.warehouse.leases import LEASE_CLASS
from syrve.warehouse.sql_files import sql

BATCH_SIZE = PullSettings().batch_size


class Roster:
    """One task's connection to a roster; every method is one transaction."""

    def __init__(self, dsn: str) -> None:
        self.connection: psycopg2.extensions.connection = psycopg2.connect(dsn)
        (self.lease,) = self._rows("select nextval('sync.lease_id')::integer", {})[0]
        self._rows("select pg_advisory_lock(%(class)s, %(lease)s)", {"class": LEASE_CLASS, "lease": self.lease})

    def claim(self, organization_id: str) -> list[tuple[Any, ...]]:
        """Lease a batch of due identities of an organization."""
        return self._rows(
            sql("roster/claim.sql"),
            {
                "organization_id": organization_id,
                "due_before": self.now(),
                "batch_limit": BATCH_SIZE,
                "lease": self.lease,
                "lease_class": LEASE_CLASS,
                "lease_seconds": 900.0,
            },
        )

    def count_due(self) -> list[tuple[Any, ...]]:
        """Count what is due, as the planning of a run does."""
        return self._rows(sql("roster/due.sql"), {"due_before": self.now()})

    def finish(self, organization_id: str) -> None:
        """Let everything leased be due in a day, as at the end of a batch."""
        self._rows(
            "update sync.roster set due_at = now() + interval '1 day', lease = null, leased_until = null, checked_at = now() "
            "where organization_id = %(organization_id)s and lease = %(lease)s returning 1",
            {"organization_id": organization_id, "lease": self.lease},
        )

    def now(self) -> Any:
        """Read the server's clock."""
        return self._rows("select now()", {})[0][0]

    def close(self) -> None:
        """Close the connection and free the lease."""
        self.connection.close()

    def _rows(self, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()
