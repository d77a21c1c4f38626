"""Reads the webhook settings of organizations and adds ours on request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from syrve.api.errors import MalformedAnswer, Rejected, ServiceUnavailable
from syrve.api.models import WebhookSettings
from syrve.errors import SyrveProviderError
from syrve.signals.errors import OrganizationLeftOut, SomeLeftOut, UnlistedAddress, WebhooksNotShown
from syrve.signals.secret_book import add_secret, hashes_of
from syrve.signals.secrets import hash_of, new_secret
from syrve.signals.webhooks import WebhookPlan, lacks, plan_webhooks
from syrve.warehouse.database import Warehouse

OF_ONE_ORGANIZATION = (Rejected, MalformedAnswer, ServiceUnavailable, OrganizationLeftOut)
"""What says nothing about other organizations: those are set up all the same."""


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


@dataclass(slots=True)
class SetUp:
    """What was found or set, and what went wrong, each by organization."""

    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: dict[str, SyrveProviderError] = field(default_factory=dict)

    def refuse_if_any(self, left_out: Collection[str]) -> None:
        """Raise what went wrong with organizations that are not `left_out`: what may pass by itself, else `SomeLeftOut`."""
        grave = {each: problem for each, problem in self.problems.items() if each not in left_out}
        for problem in grave.values():
            if problem.retry_after_seconds is not None:
                raise problem
        if grave:
            listed = "; ".join(f"{organization_id}: {problem}" for organization_id, problem in sorted(grave.items()))
            raise SomeLeftOut(
                f"{len(grave)} of {len(self.found) + len(self.problems)} organizations could not be read or set up, "
                f"the others are done: {listed}"
            )


def set_up_each(organization_ids: Iterable[str], set_up: Callable[[str], dict[str, Any]]) -> SetUp:
    """Set up one organization after the other; one that is gone, odd or refused stops no other. Raises what concerns them all."""
    done = SetUp()
    for organization_id in organization_ids:
        try:
            done.found[organization_id] = set_up(organization_id)
        except OF_ONE_ORGANIZATION as problem:
            done.problems[organization_id] = problem
    return done


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
    `UnlistedAddress` before Syrve is asked, `WebhooksNotShown` if Syrve accepts settings that it does not show then, `SignalError`,
    `SyrveError` or `WarehouseError`.
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
    _refuse_other_settings(client.webhook_settings(organization_id), plan, secret)
    return shown | {"sent": True}


def _refuse_other_settings(shown: WebhookSettings, plan: WebhookPlan, secret: str | None) -> None:
    """That a call was accepted does not show that the settings are in force, or that those of others are still there."""
    lacking = [
        name
        for name, is_other in {
            "the address": (shown.uri or "").rstrip("/") != plan.url.rstrip("/"),
            "the filter": lacks(shown.filter, plan.filter),
            "the secret": shown.token is not None and secret is not None and hash_of(shown.token) != hash_of(secret),
        }.items()
        if is_other
    ]
    if lacking:
        raise WebhooksNotShown(
            f"Syrve accepted the webhooks, but then shows {' and '.join(lacking)} otherwise than sent; run the preview, and look in "
            "Syrve's back office who else sets them"
        )
