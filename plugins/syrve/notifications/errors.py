"""What can go wrong with notifications; like the errors of `syrve.wallet`, each says once whether a task should try again.

::

    NotificationError            never retry
    ├── UnusableChannel          the connection holds no channel, or one that can't be read
    └── ChannelFailed            a channel refused or did not answer: what it was to be told is told next time     retry

None of them holds the address of a channel: that is a secret.
"""

from __future__ import annotations

from typing import ClassVar

from syrve.errors import SyrveProviderError


class NotificationError(SyrveProviderError):
    """Something about notifications went wrong."""


class UnusableChannel(NotificationError):
    """The connection's config can't be read; the text says which entry of it."""


class ChannelFailed(NotificationError):
    """A channel did not take its message; nothing of it was recorded as told."""

    retry_after_seconds: ClassVar[float | None] = 120.0
