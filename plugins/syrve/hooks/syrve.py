"""The hook of the connection type `syrve`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from syrve.api.config import SyrveConfig
from syrve.api.errors import (
    AuthenticationFailed,
    ConfigurationError,
    ConnectionFailed,
    PermissionDenied,
    RateLimited,
    SyrveError,
)
from syrve.hooks.outage_log import OutageLog

if TYPE_CHECKING:
    from syrve.api.bulk import BulkLookup
    from syrve.api.client import SyrveClient
    from syrve.api.permits import Permits


_MOST_NAMED = 20
TEST_DEADLINE_SECONDS, TEST_TIMEOUT_SECONDS = 3.0, 7.0
"""A person waits for `test_connection`, so it gives up soon where a task would go on: its two requests take less than 15 s."""


class SyrveHook(BaseHook):
    """Gives out clients for the Syrve account of a connection.

    The connection holds the base URL (without `/api/1`) as host and the api login as password; see docs/settings.md for its extras.
    Every token is masked in logs before it is first used.
    """

    conn_name_attr = "syrve_conn_id"
    default_conn_name = "syrve_default"
    conn_type = "syrve"
    hook_name = "Syrve Cloud"

    def __init__(self, syrve_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.syrve_conn_id = syrve_conn_id

    def config(self) -> SyrveConfig:
        """Return the checked settings of the connection; raise `ConfigurationError` that names what is wrong."""
        connection = self.get_connection(self.syrve_conn_id)
        for secret in (connection.password or "").split(":"):
            if secret:
                mask_secret(secret)
        host = connection.host
        if host and connection.port and "://" in host:
            host = f"{host.rstrip('/')}:{connection.port}"
        elif host and connection.port:
            host = f"https://{host}:{connection.port}"
        config = SyrveConfig.from_parts(host, connection.password, connection.extra_dejson)
        return replace(config, connection=self.syrve_conn_id)

    def get_conn(self, permits: Permits | None = None, *, keeps_connection: bool = True) -> SyrveClient:
        """Return a client for single calls, within the budget that `permits` keeps; close it, or use it as a context manager.

        Money goes through `SyrveWalletHook`, which records what it does and opens a separate connection each time.
        """
        return self._client(self.config(), permits, keeps_connection=keeps_connection)

    def bulk(self, permits: Permits | None = None) -> BulkLookup:
        """Return a client for many look-ups at once, within the budget that `permits` keeps; use it as a context manager."""
        from syrve.api.bulk import BulkLookup

        config = self.config()
        return BulkLookup(config, on_token=mask_secret, permits=permits, on_wait=OutageLog(config.place))

    def test_connection(self) -> tuple[bool, str]:
        """Get a token and list organizations; say in plain words what works or what is wrong."""
        try:
            config = self.config()
            deadline_seconds = min(config.call_deadline_seconds, TEST_DEADLINE_SECONDS)
            timeout_seconds = min(config.timeout_seconds, TEST_TIMEOUT_SECONDS)
            soon = replace(
                config, call_deadline_seconds=deadline_seconds, timeout_seconds=timeout_seconds, connection=""
            )
            with self._client(soon) as client:
                organizations = client.organizations()
        except SyrveError as error:
            return False, _in_plain_words(error)
        if not organizations:
            return (
                False,
                "The api login works, but sees none of the wanted organizations; check organization_ids and the login's rights.",
            )
        return (
            True,
            f"The api login works and sees {_named([each.name or each.organization_id for each in organizations])}.",
        )

    def _client(
        self, config: SyrveConfig, permits: Permits | None = None, *, keeps_connection: bool = True
    ) -> SyrveClient:
        from syrve.api.client import SyrveClient

        return SyrveClient(
            config,
            on_token=mask_secret,
            permits=permits,
            on_wait=OutageLog(config.place),
            keeps_connection=keeps_connection,
        )


def _named(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:_MOST_NAMED])
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f"{len(names):,} organization{'' if len(names) == 1 else 's'}: {shown}{more}"


def _in_plain_words(error: SyrveError) -> str:
    match error:
        case ConfigurationError():
            return f"The connection cannot work: {error.message}."
        case AuthenticationFailed():
            return f"Syrve was reached, but {error.message}."
        case PermissionDenied():
            return f"The api login was accepted, but lacks the right '{error.right}'. Grant it in Syrve's back office."
        case RateLimited():
            return "Syrve was reached, but asks to slow down. Try again in a few minutes."
        case ConnectionFailed():
            return (
                f"Syrve could not be reached at {error.place}: {error.message}. "
                "Check the host, and that this machine may connect to it."
            )
    return f"Syrve was reached, but did not answer as expected: {error}."
