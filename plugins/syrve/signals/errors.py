"""What can go wrong with signals."""

from __future__ import annotations

from typing import ClassVar

from syrve.errors import SyrveProviderError


class SignalError(SyrveProviderError):
    """Signals could not be received, read or set up."""


class UnlistedAddress(SignalError):
    """An address of a receiver that the settings do not list; no webhook is sent there."""


class OrganizationLeftOut(SignalError):
    """The webhooks of one organization cannot be set up as they are; those of others can."""


class WebhooksTaken(OrganizationLeftOut):
    """The webhooks of an organization go to another address, and an organization has one address only."""


class ForeignSettings(OrganizationLeftOut):
    """Settings of others have a shape to which nothing can be added: they could only be overwritten, so they stay."""


class WebhooksNotShown(OrganizationLeftOut):
    """Syrve accepted the settings, and then shows others."""


class SomeLeftOut(SignalError):
    """The webhooks of some organizations could not be read or set up; those of the others were."""


class UnreadableBody(SignalError):
    """A body that holds no events; the text says what is wrong and no value."""


class Overloaded(SignalError):
    """More signals wait for the warehouse than the receiver keeps; the sender should repeat them."""

    retry_after_seconds: ClassVar[float | None] = 1.0


class Refused(SignalError):
    """A request is refused with an HTTP status and a fixed text; `closes` ends its connection too."""

    def __init__(self, status: int, reason: str, *, closes: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.closes = closes
