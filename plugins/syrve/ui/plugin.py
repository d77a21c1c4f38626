"""What Airflow loads: the page under `/syrve` with its entry in the navigation, the receiver of webhooks, and the notes of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.plugins_manager import AirflowPlugin

from syrve.ui import run_notes

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

URL_PREFIX = "/syrve"
SIGNALS_PREFIX = "/syrve-signals"
AIRFLOW_APP = "syrve.airflow_app"
"""Key of the ASGI scope under which the page finds the api-server that it is mounted in."""


class LazyPage:
    """The page, imported with the first request: plugins are loaded by workers and the scheduler too, which never show it."""

    _app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to the page."""
        if self._app is None:
            from syrve.ui.app import create_page

            self._app = create_page()
        await self._app({**scope, AIRFLOW_APP: scope.get("app")}, receive, send)


class LazySignals:
    """The receiver of webhooks, likewise. It asks for no login of Airflow: senders prove themselves by their secrets.

    Airflow logs the address of each request once it is answered: what strangers write behind that of the receiver is taken away before.
    """

    _app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to the receiver."""
        if self._app is None:
            from syrve.ui.signals import create_mounted_app

            self._app = create_mounted_app()
        asked = dict(scope)
        scope["path"] = SIGNALS_PREFIX
        scope["query_string"] = b""
        await self._app(asked, receive, send)


class SyrvePlugin(AirflowPlugin):
    """The Syrve page, the receiver of webhooks under `/syrve-signals`, and the sentence on the note of every run."""

    name = "syrve"
    listeners = [run_notes]  # noqa: RUF012 - as Airflow declares it
    fastapi_apps = [  # noqa: RUF012
        {"app": LazyPage(), "url_prefix": URL_PREFIX, "name": "Syrve"},
        {"app": LazySignals(), "url_prefix": SIGNALS_PREFIX, "name": "Syrve signals"},
    ]
    external_views = [  # noqa: RUF012
        {
            "name": "Syrve",
            # Relative: Airflow resolves it against its own base address, under any path.
            "href": f"{URL_PREFIX.removeprefix('/')}/",
            "destination": "nav",
            "url_route": "syrve",
            "nav_top_level": True,
        }
    ]
