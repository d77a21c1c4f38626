"""The channels of an Airflow connection of type `apprise`: e-mail, Slack, webhooks and the other services of that library.

The stock hook of the provider reads the connection; its `notify` is not used, since it does not say whether the message was taken.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from syrve.notifications.errors import UnusableChannel
from syrve.optional import require_extra

if TYPE_CHECKING:
    from apprise import NotifyBase

DEFAULT_CHANNELS_CONN_ID = "syrve_notifications"
CONNECTION_TYPE = "apprise"
Kind = Literal["info", "success", "warning", "failure"]
_SILENT = logging.CRITICAL + 1


@dataclass(frozen=True, slots=True)
class Channel:
    """One service of a connection; `name` tells it apart from the others and holds nothing secret."""

    name: str
    service: NotifyBase

    def send(self, title: str, body: str, kind: Kind) -> bool:
        """Send a message; false where the service did not take it, which apprise explains in the log."""
        from apprise import Apprise, NotifyFormat, NotifyType

        sender = Apprise(asset=self.service.asset)
        sender.add(self.service)
        # At lower levels the addresses are logged, with the tokens in them.
        with _logging_at(logging.WARNING):
            taken = sender.notify(body=body, title=title, notify_type=NotifyType(kind), body_format=NotifyFormat.TEXT)
        return bool(taken)


def open_channels(conn_id: str = DEFAULT_CHANNELS_CONN_ID) -> list[Channel]:
    """Return the channels of a connection, in its order; none if there is no such connection. Raises `UnusableChannel`."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return []
    if connection.conn_type != CONNECTION_TYPE:
        raise UnusableChannel(f"the connection {conn_id} must be of type {CONNECTION_TYPE}")
    require_extra("notifications", f"the connection {conn_id}", UnusableChannel)
    from airflow.providers.apprise.hooks.apprise import AppriseHook

    hook = AppriseHook(conn_id)
    try:
        config = hook.get_config_from_conn(connection)
    except (KeyError, ValueError, TypeError):
        raise UnusableChannel(
            f'the connection {conn_id} needs a config such as {{"path": "<service>://..."}}'
        ) from None
    return list(_channels(conn_id, config if isinstance(config, list) else [config]))


def _channels(conn_id: str, entries: list[Any]) -> Iterator[Channel]:
    from airflow.sdk.log import mask_secret
    from apprise import Apprise, AppriseAsset

    # Without a limit in all it sends in this thread, so nothing is delivered behind our back after it was taken for failed; a service has
    # separate limits for connecting and for each answer.
    asset = AppriseAsset(async_mode=False, service_timeout=0, image_url_mask="", image_url_logo="")
    asset.app_id, asset.app_desc, asset.app_url = "Syrve", "Wallet findings", ""
    asset.http_redirects = False
    seen: Counter[str] = Counter()
    for number, entry in enumerate(entries, start=1):
        path = entry.get("path") if isinstance(entry, dict) else None
        if not isinstance(path, str) or not path:
            raise UnusableChannel(f"the connection {conn_id}, entry {number} of its config: it must have a path")
        mask_secret(path)
        # What apprise says of an address that it can't read holds the address.
        with _logging_at(_SILENT):
            service = Apprise.instantiate(path, asset=asset)
        if service is None:
            raise UnusableChannel(
                f"the connection {conn_id}, entry {number} of its config: its path is not an address that apprise can read"
            )
        schema = path.partition(":")[0].lower()
        seen[schema] += 1
        yield Channel(f"{conn_id}/{schema}" + (f"-{seen[schema]}" if seen[schema] > 1 else ""), service)


@contextmanager
def _logging_at(level: int) -> Iterator[None]:
    """Let the libraries that know addresses say only what is as grave as this."""
    loggers = [logging.getLogger(name) for name in ("apprise", "urllib3")]
    former = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(max(level, logger.level))
    try:
        yield
    finally:
        for logger, before in zip(loggers, former, strict=True):
            logger.setLevel(before)
