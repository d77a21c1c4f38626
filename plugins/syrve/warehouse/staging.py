"""The session-local tables that a batch is copied into before it is merged."""

from __future__ import annotations

from syrve.warehouse.database import Connection, transaction
from syrve.warehouse.sql_files import sql


def prepare_staging(connection: Connection) -> None:
    """Create the staging tables of this connection; they empty themselves at each commit."""
    with transaction(connection, "prepare staging") as cursor:
        cursor.execute(sql("merge/staging.sql"))
