"""Reads the webhook settings of an organization and adds ours on request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from syrve.api.models import WebhookSettings
from syrve.signals.errors import UnlistedAddress
from syrve.signals.secret_book import add_secret, hashes_of
from syrve.signals.secrets import new_secret
from syrve.signals.webhooks import plan_webhooks
from syrve.warehouse.database import Warehouse


class SetsWebhooks(Protocol):
    """What this needs of `SyrveClient`."""

    def webhook_settings(self, organization_id: str) -> WebhookSettings:
        """Read where webhooks of an organization go, and which."""
        ...

    def update_webhook_settings(
        self, organization_id: str, uri: str, secret: str | None, webhook_filter: Mapping[str, Any] | None
    ) -> None:
        """Set where webhooks of an organization go, and which."""
        ...


def set_webhooks(
    warehouse: Warehouse,
    client: SetsWebhooks,
    organization_id: str,
    url: str,
    *,
    addresses: Collection[str],
    is_dry_run: bool,
    may_move: bool = False,
    renew: bool = False,
) -> dict[str, Any]:
    """Return what is set and what would be added; with `is_dry_run` false, add it. Without a `url`, return only what is set.

    Only one of `addresses` is set, because webhooks hold orders with their guests. The result holds hosts and names of filters, and no
    secret. The hash of a new secret is stored before Syrve gets the secret, so that no webhook with it is refused. Raises
    `UnlistedAddress` before Syrve is asked, `SignalError`, `SyrveError` or `WarehouseError`.
    """
    if url and url.rstrip("/") not in {each.rstrip("/") for each in addresses}:
        raise UnlistedAddress(
            "url: this address is not in SYRVE_SIGNALS_ADDRESSES, which lists the receivers that may get the webhooks; nothing was set"
        )
    present = client.webhook_settings(organization_id)
    shown: dict[str, Any] = {
        "goes_to": urlsplit(present.uri).hostname if present.uri else None,
        "filters": sorted(present.filter),
    }
    if not url:
        return shown
    hashes = hashes_of(warehouse, organization_id)
    plan = plan_webhooks(present, url, known_hashes=hashes, may_move=may_move, renew=renew)
    shown |= {"adds": list(plan.added), "new_secret": plan.needs_secret, "sent": False}
    if is_dry_run or not plan.is_needed:
        return shown
    secret = present.token
    if plan.needs_secret:
        secret = new_secret()
        add_secret(warehouse, organization_id, secret)
    client.update_webhook_settings(organization_id, plan.url, secret, plan.filter)
    return shown | {"sent": True}
