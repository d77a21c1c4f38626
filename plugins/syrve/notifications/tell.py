"""Tells channels what changed since each was last told, and records what it took.

What a channel was told is written right after it took the message. So a failed send loses nothing: the next run tells the same, and what
came to it. A run that is killed between the two, or whose warehouse is gone just then, leaves the message to be sent once more.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from syrve.notifications.errors import ChannelFailed
from syrve.notifications.message import Change, OpenGroup, word_message
from syrve.warehouse import locks
from syrve.warehouse.database import Connection, Warehouse, fetch_one, transaction
from syrve.warehouse.sql_files import sql

if TYPE_CHECKING:
    from syrve.notifications.channels import Channel

log = logging.getLogger(__name__)

NOTABLE_SHARE = 0.1
"""A change of the money at risk by this share of what was told is worth saying."""
LOCK_WAIT_SECONDS = 180.0
"""How long to wait for another run at the same channel; longer than a channel may take."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a message is about: the moment, the run, where the report is, and the organizations (all, if None)."""

    as_of: datetime
    run_id: str
    link: str | None = None
    organization_ids: Sequence[str] | None = None
    notable_share: float = NOTABLE_SHARE

    def asked(self, channel: str) -> dict[str, Any]:
        """Return the values of the statements."""
        return {
            "channel": channel,
            "as_of": self.as_of,
            "run_id": self.run_id,
            "organization_ids": list(self.organization_ids) if self.organization_ids else None,
            "notable_share": self.notable_share,
        }


@dataclass(slots=True)
class Notified:
    """What became of it: findings by change for each channel that took a message, and channels that had nothing to be told."""

    sent: dict[str, Counter[str]] = field(default_factory=dict)
    nothing_new: list[str] = field(default_factory=list)


def newest_moment(warehouse: Warehouse, organization_ids: Sequence[str] | None = None) -> datetime | None:
    """Return the newest moment as of which findings were evaluated. Raises `WarehouseError`."""
    asked = {"organization_ids": list(organization_ids) if organization_ids else None}
    with warehouse.transaction("look for the newest findings") as cursor:
        cursor.execute(sql("report/newest.sql"), asked)
        newest: datetime | None = fetch_one(cursor)[0]
    return newest


def tell(warehouse: Warehouse, channels: Sequence[Channel], occasion: Occasion) -> Notified:
    """Tell every channel what it does not know yet; one that fails stands in no other's way.

    Raises `ChannelFailed` in the end if some did not take their message, and `WarehouseError`.
    """
    notified, failed = Notified(), []
    for channel in channels:
        with warehouse.connect() as connection, alone(connection, channel.name):
            changes = _tell(connection, channel, occasion)
        if changes is None:
            failed.append(channel.name)
        elif changes:
            notified.sent[channel.name] = Counter(change.kind for change in changes)
        else:
            notified.nothing_new.append(channel.name)
    if failed:
        taken = f"; told: {', '.join(notified.sent)}" if notified.sent else ""
        raise ChannelFailed(
            f"not taken by {', '.join(failed)}{taken}. Nothing is lost: the next try sends the same; see apprise's warnings above"
        )
    return notified


def _tell(connection: Connection, channel: Channel, occasion: Occasion) -> list[Change] | None:
    """Tell one channel; returns what it was told, or None if it did not take it."""
    changes, groups, is_first = _read(connection, occasion.asked(channel.name))
    if not changes:
        log.info("%s: nothing new", channel.name)
        return []
    message = word_message(changes, groups, as_of=occasion.as_of, link=occasion.link, is_first=is_first)
    if not channel.send(message.title, message.body, message.kind):
        log.warning("%s did not take the message: %s", channel.name, message.title)
        return None
    _write(connection, occasion.asked(channel.name), changes)
    log.info("%s was told: %s", channel.name, message.title)
    return changes


def _read(connection: Connection, asked: dict[str, Any]) -> tuple[list[Change], list[OpenGroup], bool]:
    with transaction(connection, "look for what a channel does not know yet") as cursor:
        cursor.execute("set transaction isolation level repeatable read")
        cursor.execute(sql("notify/changes.sql"), asked)
        changes = [Change(*row) for row in cursor.fetchall()]
        cursor.execute(sql("notify/open_groups.sql"), asked)
        groups = [OpenGroup(*row) for row in cursor.fetchall()]
        cursor.execute("select not exists (select from wallet.notification where channel = %(channel)s)", asked)
        is_first: bool = fetch_one(cursor)[0]
    return changes, groups, is_first


def _write(connection: Connection, asked: dict[str, Any], changes: Sequence[Change]) -> None:
    counts = Counter(change.kind for change in changes)
    kinds = ("opened", "raised", "amount_changed", "closed", "passed")
    rows = {
        "finding_ids": [change.finding_id for change in changes],
        "versions": [change.version for change in changes],
        "open": [change.is_open for change in changes],
        "severities": [change.severity for change in changes],
        "amounts": [change.amount for change in changes],
        "changes": [change.kind for change in changes],
    }
    with transaction(connection, "record what a channel was told") as cursor:
        cursor.execute(sql("notify/message.sql"), asked | {kind: counts[kind] for kind in kinds})  # type: ignore[index]
        rows["notification_id"] = fetch_one(cursor)[0]
        cursor.execute(sql("notify/told.sql"), asked | rows)


def alone(connection: Connection, channel: str) -> AbstractContextManager[None]:
    """Keep every other run off this channel."""
    return locks.alone(
        connection,
        f"syrve.notifications.{channel}",
        wait_seconds=LOCK_WAIT_SECONDS,
        place="this channel",
        busy=f"another run has been telling {channel} for {LOCK_WAIT_SECONDS:.0f} seconds; try again",
    )
