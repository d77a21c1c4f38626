"""The page's FastAPI app: its routes, its headers, and what it answers when something is wrong."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from airflow.api_fastapi.app import get_auth_manager
from airflow.sdk.exceptions import AirflowNotFoundException
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from syrve.ui.access import plain_values, reader
from syrve.ui.bodies import SAFE, GuardedBodies
from syrve.ui.errors import PageError
from syrve.ui.render import FOLDER, MENU, shared, templates
from syrve.ui.views import routers
from syrve.warehouse.errors import WarehouseConfigError, WarehouseError

log = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "frame-ancestors 'self'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class KeptFiles(StaticFiles):
    """The style, the scripts and the library of charts: a browser keeps them, and asks each time whether they are still the same."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return the file, or 304 if the browser has it."""
        answer = super().file_response(*args, **kwargs)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def create_page() -> FastAPI:
    """Return the app. Login and the right to read are asked for by the app itself, so no route can be without them."""
    app = FastAPI(
        title="Syrve",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(reader), Depends(plain_values)],
        redirect_slashes=True,
    )
    for router in routers():
        app.include_router(router)
    # The only part without a login: the page that asks for one has to look like the others. It holds no data.
    app.mount("/static", KeptFiles(directory=FOLDER / "static"))
    app.add_middleware(GuardedBodies, refuse=_http_error)
    app.middleware("http")(_with_headers)
    app.add_exception_handler(PageError, _page_error)
    app.add_exception_handler(WarehouseError, _warehouse_error)
    app.add_exception_handler(AirflowNotFoundException, _no_connection)
    app.add_exception_handler(StarletteHTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _bad_form)
    return app


async def _with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    answer = await call_next(request)
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer


def _answer(
    request: Request, status: int, title: str, advice: str, link: tuple[str, str] | None = None
) -> HTMLResponse:
    text = templates().get_template("error.html").render(title=title, advice=advice, link=link, **shared(request))
    return HTMLResponse(text, status_code=status)


def _page_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PageError)
    return _answer(request, error.status, error.title, error.advice)


def _warehouse_error(request: Request, error: Exception) -> Response:
    log.warning("The Syrve page could not use the warehouse: %s", error)
    advice = str(error) if isinstance(error, WarehouseConfigError) else f"{error}. Then reload this page."
    return _answer(request, 503, "The warehouse does not answer", advice)


def _no_connection(request: Request, _error: Exception) -> Response:
    """Answer where Airflow has no connection to the warehouse."""
    advice = "Make the connection syrve_warehouse, of type postgres, in Airflow or in its environment; then reload this page."
    return _answer(request, 503, "Airflow has no connection to the warehouse", advice)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, (HTTPException, StarletteHTTPException))
    # Airflow answers 403 to a login that it made before it got another key: rights are a `PageError`.
    if error.status_code in (401, 403):
        login = get_auth_manager().get_url_login(next_url=quote(_view_of(request)))
        nothing = "Nothing was changed. " if request.method not in SAFE else ""
        return _answer(
            request,
            401,
            "You are not logged in",
            f"{nothing}Your login has ended, or there was none. Log in to Airflow: this page then opens again.",
            (login, "Log in"),
        )
    titles = {
        404: "There is no such page",
        405: "This page cannot be opened like that",
        413: "This is more than the page takes",
    }
    return _answer(
        request, error.status_code, titles.get(error.status_code, "Airflow refused this"), "Open the overview."
    )


def _view_of(request: Request) -> str:
    """Return the path to open after the login: the view itself, or that of the form, whose own address cannot be opened."""
    if request.method in SAFE:
        return request.url.path
    here = str(request.scope.get("root_path", ""))
    view = request.url.path.removeprefix(here).strip("/").partition("/")[0]
    return f"{here}/{view if view in {path for _, path, _ in MENU} else ''}"


def _bad_form(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = ", ".join(sorted({str(each["loc"][-1]) for each in error.errors()}))
    return _answer(request, 400, "The form has values that cannot be read", f"Nothing was changed. Check: {fields}.")
