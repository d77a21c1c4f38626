"""What Airflow loads: the page as a FastAPI app under `/syrve`, and the entry *Syrve* in Airflow's navigation that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

URL_PREFIX = "/syrve"
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


class SyrvePlugin(AirflowPlugin):
    """The Syrve page."""

    name = "syrve"
    fastapi_apps = [  # noqa: RUF012 - as Airflow declares it
        {"app": LazyPage(), "url_prefix": URL_PREFIX, "name": "Syrve"}
    ]
    external_views = [  # noqa: RUF012
        {
            "name": "Syrve",
            # Relative: Airflow resolves it against its own base address, whatever path it is served under.
            "href": f"{URL_PREFIX.removeprefix('/')}/",
            "destination": "nav",
            "url_route": "syrve",
            "nav_top_level": True,
        }
    ]
