"""Reads the webhook settings of an organization and, if that is asked for, adds ours."""

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


class WebhookSetup:
    """Shows and sets webhooks; what it returns holds hosts and names of filters, no secret."""

    def __init__(self, warehouse: Warehouse, client: SetsWebhooks, *, addresses: Collection[str]) -> None:
        self._warehouse = warehouse
        self._client = client
        self._addresses = {each.rstrip("/") for each in addresses}

    def run(
        self, organization_id: str, url: str, *, is_dry_run: bool, may_move: bool = False, renew: bool = False
    ) -> dict[str, Any]:
        """Say what is set and what would be added; with `is_dry_run` false, add it. Without a `url` only what is set is said.

        The hash of a new secret is kept before Syrve gets the secret, so no webhook with it is ever refused. Raises `UnlistedAddress`
        before Syrve is asked, `SignalError`, `SyrveError` or `WarehouseError`.
        """
        if url and url.rstrip("/") not in self._addresses:
            raise UnlistedAddress(
                "url: this address is not in SYRVE_SIGNALS_ADDRESSES, which lists the receivers that may get the webhooks; nothing was set"
            )
        present = self._client.webhook_settings(organization_id)
        shown: dict[str, Any] = {
            "goes_to": urlsplit(present.uri).hostname if present.uri else None,
            "filters": sorted(present.filter),
        }
        if not url:
            return shown
        hashes = hashes_of(self._warehouse, organization_id)
        plan = plan_webhooks(present, url, known_hashes=hashes, may_move=may_move, renew=renew)
        shown |= {"adds": list(plan.added), "new_secret": plan.needs_secret, "sent": False}
        if is_dry_run or not plan.is_needed:
            return shown
        secret = present.token
        if plan.needs_secret:
            secret = new_secret()
            add_secret(self._warehouse, organization_id, secret)
        self._client.update_webhook_settings(organization_id, plan.url, secret, plan.filter)
        return shown | {"sent": True}
