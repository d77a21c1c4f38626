"""Where an organization's webhooks go: reads the settings, adds ours to them, and removes nothing that others have set."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from syrve.api.models import WebhookSettings
from syrve.signals.errors import ForeignSettings, SignalError, WebhooksTaken
from syrve.signals.secrets import hash_of

DELIVERY_STATUSES = (
    "Unconfirmed",
    "WaitCooking",
    "ReadyForCooking",
    "CookingStarted",
    "CookingCompleted",
    "Waiting",
    "OnWay",
    "Delivered",
    "Closed",
    "Cancelled",
)
TABLE_STATUSES = ("New", "Bill", "Closed", "Deleted")
WANTED: Mapping[str, Mapping[str, Any]] = {
    "deliveryOrderFilter": {"orderStatuses": list(DELIVERY_STATUSES), "errors": True},
    "tableOrderFilter": {"orderStatuses": list(TABLE_STATUSES), "errors": True},
    "reserveFilter": {"updates": True, "errors": True},
}


@dataclass(frozen=True, slots=True)
class WebhookPlan:
    """What would be set: `filter` as a whole, `added` what it has beyond the present one, `needs_secret` whether a new secret is sent."""

    url: str
    filter: Mapping[str, Any]
    added: tuple[str, ...]
    moves_from: str | None
    needs_secret: bool

    @property
    def is_needed(self) -> bool:
        """Whether anything would change."""
        return bool(self.added) or self.needs_secret or self.moves_from is not None


def plan_webhooks(
    present: WebhookSettings, url: str, *, known_hashes: Set[bytes], may_move: bool = False, renew: bool = False
) -> WebhookPlan:
    """Plan to have webhooks sent to `url`.

    Raises `WebhooksTaken` if they go elsewhere and stay there, `ForeignSettings` if nothing can be added to them, `SignalError` for a
    bad URL.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.username or parts.fragment:
        raise SignalError(
            "url: give an https address without a user, a query or a fragment: secrets do not belong there"
        )
    elsewhere = present.uri if present.uri and present.uri.rstrip("/") != url.rstrip("/") else None
    if elsewhere is not None and not may_move:
        raise WebhooksTaken(
            f"webhooks of this organization go to {urlsplit(elsewhere).hostname} already, and it can have one address only; "
            "let that receiver pass them on, or choose to move them"
        )
    merged = merged_filter(present.filter)
    is_ours = present.token is not None and hash_of(present.token) in known_hashes
    return WebhookPlan(url, merged, _added(present.filter, merged), elsewhere, renew or not is_ours)


def merged_filter(present: Mapping[str, Any]) -> dict[str, Any]:
    """Return a filter with everything of the present one and what we need. Raises `ForeignSettings`."""
    merged = dict(present)
    for name, wanted in WANTED.items():
        own = merged.get(name)
        if own is not None and not isinstance(own, Mapping):
            raise _foreign(name, "an object")
        merged[name] = _merged(name, own or {}, wanted)
    return merged


def lacks(shown: Any, sent: Any) -> bool:
    """Tell whether settings that Syrve shows lack anything of those that were sent; what they have beyond is no matter."""
    if isinstance(sent, Mapping):
        return not isinstance(shown, Mapping) or any(lacks(shown.get(name), value) for name, value in sent.items())
    if isinstance(sent, list):
        return not isinstance(shown, list) or any(each not in shown for each in sent)
    return bool(shown != sent)


def _merged(filter_name: str, own: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(own)
    for name, value in wanted.items():
        present = own.get(name)
        if present is not None and not isinstance(present, type(value)):
            raise _foreign(f"{filter_name}.{name}", "a list" if isinstance(value, list) else "true or false")
        if isinstance(value, list):
            kept = present or []
            result[name] = [*kept, *(each for each in value if each not in kept)]
        else:
            result[name] = value
    return result


def _foreign(name: str, shape: str) -> ForeignSettings:
    return ForeignSettings(
        f"webHooksFilter.{name} of this organization is not {shape}: it could only be overwritten, so nothing was set; "
        "correct it where it was set, or ask who set it"
    )


def _added(present: Mapping[str, Any], merged: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in sorted(merged) if merged[name] != present.get(name))
