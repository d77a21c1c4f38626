"""Writes events as signals, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from syrve.signals.events import Event, rows
from syrve.warehouse.database import Cursor
from syrve.warehouse.sql_files import sql

Channel = Literal["webhook", "feed"]
Received = Sequence[tuple[str, Event]]
"""Events, each with the organization that its sender may speak for."""


def keep_events(cursor: Cursor, events: Received, channel: Channel) -> int:
    """Keep events; returns how many were new: what is known already stays as it is."""
    cursor.execute(sql("signals/receive.sql"), {"signals": rows(events, channel=channel)})
    return cursor.rowcount
