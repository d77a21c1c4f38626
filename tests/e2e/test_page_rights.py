"""Who may open and change what on the Syrve page, on every route it has, under both auth managers that we run."""

import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import psycopg2
import pytest
import requests
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from fixtures.api_servers import ROLES, Site
from syrve.ui.access import own_form, reader
from syrve.ui.app import create_page

EDITORS = ("User", "Op", "Admin")
FILLED = {"finding_id": "5f4e0009-0000-4000-8000-000000000001", "plan_id": "1", "backfill_id": "1"}
TOKEN = re.compile(r'name="form-token" content="([^"]+)"')


READ = "read"
RIGHTS = {
    "GET /": READ,
    "POST /test-connection": "syrve_customers",
    "GET /inbox": READ,
    "POST /inbox/answer": "syrve_customers",
    "POST /inbox/breaker": "syrve_decide_breaker",
    "POST /inbox/conflict": "syrve_crm_push",
    "POST /inbox/unblock": "syrve_crm_push",
    "GET /rejects": READ,
    "GET /rejects.csv": READ,
    "POST /rejects/import-crm": "syrve_crm_import",
    "POST /rejects/import-roster": "syrve_roster_import",
    "POST /rejects/resolve": "syrve_customers",
    "GET /push": READ,
    "POST /push/start": "syrve_crm_push",
    "GET /holds": READ,
    "GET /holds/{finding_id}": READ,
    "POST /holds/decide": "syrve_release_holds",
    "POST /holds/evaluate": "syrve_reconcile_holds",
    "GET /backfill": READ,
    "POST /backfill/continue": "syrve_backfill",
    "POST /backfill/start": "syrve_backfill",
    "POST /backfill/stop": "syrve_backfill",
    "GET /freshness": READ,
    "POST /freshness/policy": "syrve_customers",
    "GET /runs": READ,
    "GET /customer": READ,
    "POST /customer": READ,
}
"""Of each route the DAG whose runs a person must be allowed to start; for those that change nothing, only the right to read."""


def routes() -> list[tuple[str, str, APIRoute]]:
    """Method, path with its places filled, and the route itself."""
    found = [route for route in create_page().routes if isinstance(route, APIRoute)]
    return [(method, route.path.format(**FILLED), route) for route in found for method in sorted(route.methods)]


def needs(dependant: Dependant) -> set[str]:
    """Every dependency of a route, by name."""
    names = {getattr(dependant.call, "__name__", "")}
    return names.union(*(needs(each) for each in dependant.dependencies))


def ask(site: Site, role: str, method: str, path: str, **options: Any) -> requests.Response:
    token = site.tokens[role]
    headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, f"{site.url}/syrve{path}", headers=headers, timeout=60, **options)


def form_token(site: Site, role: str) -> str:
    """The token of the forms that a page has for this person."""
    page = ask(site, role, "GET", "/")
    found = TOKEN.search(page.text)
    assert found, page.text[:2000]
    return found[1]


def audit_rows(site: Site) -> int:
    connection = psycopg2.connect(site.warehouse_dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("select count(*) from sync.audit")
            row = cursor.fetchone()
            assert row
            return int(row[0])
    finally:
        connection.close()


def test_every_route_asks_for_login_right_and_own_form() -> None:
    for method, path, route in routes():
        wanted = {"get_user", reader.__name__}
        if method != "GET":
            wanted.add(own_form.__name__)
        assert wanted <= needs(route.dependant), (method, path)


def test_every_route_has_the_right_that_is_expected() -> None:
    found = {}
    for method, _, route in routes():
        started = [each.removeprefix("editor_of_") for each in needs(route.dependant) if each.startswith("editor_of_")]
        found[f"{method} {route.path}"] = started[0] if started else READ

    assert found == RIGHTS


def test_nobody_gets_nothing_but_the_style(site: Site) -> None:
    for method, path, _ in routes():
        answer = ask(site, "nobody", method, path)
        assert answer.status_code == 401, (method, path)
        assert "Log in" in answer.text
    assert ask(site, "nobody", "GET", "/static/syrve.css").status_code == 200
    assert ask(site, "nobody", "GET", "/static/../app.py").status_code in (401, 404)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_opens_every_view_of_an_empty_warehouse(site: Site, role: str) -> None:
    for method, path, _ in routes():
        if method == "GET":
            answer = ask(site, role, "GET", path)
            assert answer.status_code in (200, 404), (path, answer.status_code, answer.text[:3000])
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_changes_are_refused_to_viewers_with_no_audit_row(site: Site) -> None:
    before = audit_rows(site)
    token = form_token(site, "Viewer")
    for method, path, route in routes():
        if any(name.startswith("editor_of_") for name in needs(route.dependant)):
            answer = ask(site, "Viewer", method, path, data={"form_token": token})
            assert answer.status_code == 403, (path, answer.status_code)
    assert audit_rows(site) == before


@pytest.mark.parametrize("role", EDITORS)
def test_changes_need_the_persons_own_form(site: Site, role: str) -> None:
    before = audit_rows(site)
    foreign = form_token(site, "Viewer")
    own = form_token(site, role)
    for method, path, _ in routes():
        if method == "GET":
            continue
        for token in ("", "made up", foreign):
            assert ask(site, role, method, path, data={"form_token": token}).status_code == 403, path
        elsewhere = {"Sec-Fetch-Site": "cross-site"}
        assert ask(site, role, method, path, data={"form_token": own}, headers=elsewhere).status_code == 403, path
        origin = {"Origin": "https://elsewhere.example"}
        assert ask(site, role, method, path, data={"form_token": own}, headers=origin).status_code == 403, path
    assert audit_rows(site) == before


@pytest.mark.parametrize("role", EDITORS)
def test_editors_test_the_connection_and_are_noted(site: Site, role: str) -> None:
    before = audit_rows(site)

    answer = ask(site, role, "POST", "/test-connection", data={"form_token": form_token(site, role)})

    assert answer.status_code == 200, answer.text[:3000]
    assert 'role="status"' in answer.text
    assert audit_rows(site) == before + 1


@pytest.mark.parametrize(
    "headers", [{}, {"Cookie": "_token=of.another.key"}, {"Authorization": "Bearer of.another.key"}]
)
@pytest.mark.parametrize(
    ("method", "path", "view"),
    [("GET", "/push", "push"), ("POST", "/push/start", "push"), ("POST", "/test-connection", ""), ("POST", "/", "")],
)
def test_ended_login_leads_to_the_view_after_a_new_one(
    site: Site, method: str, path: str, view: str, headers: dict[str, str]
) -> None:
    refused = ask(site, "nobody", method, path, headers=headers)

    assert refused.status_code == 401
    assert "You are not logged in" in refused.text
    assert f"next=%2Fsyrve%2F{view}&#34;" in refused.text.replace('"', "&#34;")
    assert ("Nothing was changed" in refused.text) == (method == "POST")


def first_line(site: Site, headers: list[str], body: Iterable[bytes] = ()) -> str:
    """Send the head of a form and what there is of its body, and return the first line of the answer."""
    host, port = site.url.removeprefix("http://").split(":")
    head = [
        "POST /syrve/backfill/start HTTP/1.1",
        f"Host: {host}:{port}",
        "Content-Type: multipart/form-data; boundary=b",
    ]
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall("\r\n".join([*head, *headers, "", ""]).encode())
        with suppress(ConnectionError):  # the server has answered and hangs up
            for part in body:
                connection.sendall(part)
        return connection.makefile("rb").readline().decode()


@pytest.mark.parametrize("forged", [[], ["Authorization: Bearer forged"], ["Cookie: _token=forged"]])
def test_nobodys_body_is_not_read(site: Site, forged: list[str]) -> None:
    assert first_line(site, ["Content-Length: 1000000000", *forged]).split()[1] in ("401", "403")


def test_body_that_says_it_is_too_long_is_not_read(site: Site) -> None:
    login = f"Authorization: Bearer {site.tokens['Viewer']}"
    assert " 413 " in first_line(site, [login, "Content-Length: 1000000000"])


def test_body_that_grows_too_long_is_read_no_further(site: Site) -> None:
    login = f"Authorization: Bearer {site.tokens['Viewer']}"
    start = b'--b\r\nContent-Disposition: form-data; name="dropped"; filename="a.csv"\r\n\r\n'
    chunk = b"x" * (1 << 20)
    pieces = [start, *[chunk] * 60]
    body = (f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces)
    assert " 413 " in first_line(site, [login, "Transfer-Encoding: chunked"], body)
