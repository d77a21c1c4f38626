"""The receiver of webhooks as Airflow's api-server mounts it: it works in the warehouse of the connection `syrve_warehouse`."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from airflow.sdk.exceptions import AirflowNotFoundException
from fastapi import FastAPI

from syrve.hooks.syrve import SyrveHook
from syrve.hooks.warehouse import open_warehouse
from syrve.signals.events import Event
from syrve.signals.receiver import Receiver, create_app
from syrve.signals.store import SignalStore
from syrve.warehouse.errors import WarehouseConfigError

log = logging.getLogger(__name__)


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
                raise WarehouseConfigError("Airflow has no connection syrve_warehouse") from None
        return self._store


def create_mounted_app() -> FastAPI:
    """Return the app; called within the api-server's event loop."""
    return create_app(Receiver(ConnectedStore(), region=_region()))


def _region() -> str:
    try:
        return SyrveHook().config().default_region
    except Exception:  # noqa: BLE001 - a receiver without a usable account still keeps what names its customers by id
        log.warning("The connection syrve_default is not usable; national phone numbers in signals are read as Russian")
        return "RU"
