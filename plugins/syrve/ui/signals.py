"""The receiver of webhooks as Airflow's api-server mounts it: it works in the warehouse of the connection `syrve_warehouse`."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from airflow.sdk.exceptions import AirflowNotFoundException
from fastapi import FastAPI

from syrve.hooks.setting import setting
from syrve.hooks.syrve import SyrveHook
from syrve.hooks.warehouse import open_warehouse
from syrve.signals.events import Event
from syrve.signals.receiver import Receiver, create_app
from syrve.signals.store import SignalStore
from syrve.warehouse.errors import WarehouseConfigError

log = logging.getLogger(__name__)

REGION = "RU"
"""Region of national phone numbers if the account's connection does not say it."""


class ConnectedStore:
    """A store that looks Airflow's connection up with the first signal, so that one which is made later is found."""

    _store: SignalStore | None = None

    async def keep(self, events: Sequence[tuple[str, Event]]) -> None:
        """Return once the events are committed."""
        await self._opened().keep(events)

    async def secrets(self) -> list[tuple[str, bytes]]:
        """Read the secrets in force."""
        return await self._opened().secrets()

    def _opened(self) -> SignalStore:
        if self._store is None:
            try:
                self._store = SignalStore(open_warehouse())
            except AirflowNotFoundException:
                raise WarehouseConfigError(
                    "keep signals: Airflow has no connection syrve_warehouse; make one, as docs/install.md says"
                ) from None
        return self._store


def create_mounted_app() -> FastAPI:
    """Return the app; called within the api-server's event loop."""
    return create_app(Receiver(ConnectedStore(), region=_region()))


def _region() -> str:
    connection = setting("SYRVE_SIGNALS_CONNECTION", SyrveHook.default_conn_name)
    try:
        return SyrveHook(connection).config().default_region
    except Exception as error:  # noqa: BLE001 - without an account, customers named by id are kept all the same
        log.warning(
            "The receiver of signals could not read the connection %s (%s): it reads phone numbers without a country code as "
            "those of region %s. If they are of another, mend the connection and restart the api-server",
            connection,
            type(error).__name__,
            REGION,
        )
        return REGION
