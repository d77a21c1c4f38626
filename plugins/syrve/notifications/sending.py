"""Sends one message to every channel: the one place that says whether a channel took it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from syrve.notifications.channels import Channel, Kind, open_channels
from syrve.notifications.errors import NotificationError

log = logging.getLogger(__name__)


def send_to_all(channels: Sequence[Channel], title: str, body: str, kind: Kind, *, about: str) -> bool:
    """Send a message and return whether any channel took it; one that did not is named in the log, with what it was not told of."""
    taken = [channel.send(title, body, kind) for channel in channels]
    for channel, was_taken in zip(channels, taken, strict=True):
        if not was_taken:
            log.warning("%s was not told of %s", channel.name, about)
    return any(taken)


def send_through(conn_id: str, title: str, body: str, kind: Kind, *, about: str) -> bool:
    """Send a message to the channels of a connection; true if one took it, and if there is no connection to take it."""
    try:
        channels = open_channels(conn_id)
    except NotificationError as error:
        log.warning("No channel is notified of %s: %s", about, error)
        return False
    if not channels:
        log.info("No connection %s: no channel is notified of %s", conn_id, about)
        return True
    return send_to_all(channels, title, body, kind, about=about)
