"""Runs a block as it would be run, and takes back what it wrote: what a dry run counts is what would happen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from syrve.warehouse.database import Connection, Cursor, transaction


class _TakenBack(Exception):
    """Ends the transaction of a dry run."""


@contextmanager
def transaction_or_trial(connection: Connection, doing: str, *, is_trial: bool) -> Iterator[Cursor]:
    """Run a block in one transaction like `transaction`; a trial is rolled back in the end."""
    try:
        with transaction(connection, doing) as cursor:
            yield cursor
            if is_trial:
                raise _TakenBack
    except _TakenBack:
        return
