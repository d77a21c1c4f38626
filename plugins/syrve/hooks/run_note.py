"""Writes progress on the note of the DAG run, through Airflow's REST API: Airflow 3.3 gives tasks no other way to it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

if TYPE_CHECKING:
    import requests
    from airflow.sdk import Connection

log = logging.getLogger(__name__)

DEFAULT_AIRFLOW_API_CONN_ID = "syrve_airflow_api"
MARK = "Progress: "
RESULT_MARK = "Result: "
"""What stands before one of the two in a note was written by others and is kept."""
MAX_NOTE_LENGTH = 1_000
TIMEOUT_SECONDS = (3.0, 5.0)
"""For the connection, and for each part of an answer: a pull must not wait long for a courtesy."""
_OWN_PART = re.compile(rf"(?:\A|\n\n)(?:{MARK}|{RESULT_MARK}).*", re.DOTALL)
_UNAUTHORIZED = 401


class RunNote:
    """The note of one run; `conn_id` is a connection of type `http` with the address, a user and a password of Airflow's REST API.

    Without that connection it does nothing, after saying so once. Where the API fails it warns once and tries again some minutes later:
    no failure of it reaches the caller. Used by one thread.
    """

    def __init__(
        self,
        dag_id: str,
        run_id: str,
        *,
        conn_id: str = DEFAULT_AIRFLOW_API_CONN_ID,
        every_seconds: float = 20.0,
        again_after_seconds: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"
        self._conn_id = conn_id
        self._every_seconds = every_seconds
        self._again_after_seconds = again_after_seconds
        self._clock = clock
        self._due_at = clock()
        self._has_warned = False
        self._api: _Api | None = None
        self._is_absent = False

    def is_due(self) -> bool:
        """Tell whether it is time for another note."""
        return not self._is_absent and self._clock() >= self._due_at

    def write(self, text: str) -> None:
        """Put the text on the run's note, after what others wrote there."""
        import requests

        self._due_at = self._clock() + self._every_seconds
        try:
            api = self._open()
            if api is None:
                return
            known = api.call("GET", self._path).get("note") or ""
            note = with_progress(str(known), text)
            if note != known:
                api.call("PATCH", f"{self._path}?update_mask=note", {"note": note})
        except (requests.RequestException, ValueError, TypeError, KeyError, AttributeError) as error:
            self._due_at = self._clock() + self._again_after_seconds
            if not self._has_warned:
                self._has_warned = True
                log.warning("The run's note could not be written: %s; the work goes on", _error_text(error))

    def _open(self) -> _Api | None:
        if self._api is None and not self._is_absent:
            try:
                self._api = _Api(BaseHook.get_connection(self._conn_id))
            except AirflowNotFoundException:
                self._is_absent = True
                log.info("No connection %s: progress is in this log only, not on the run's note", self._conn_id)
        return self._api


def with_progress(note: str, text: str) -> str:
    """Return the note with its progress replaced; unchanged where there is no room for it."""
    return _with(note, MARK, text)


def with_result(note: str, text: str) -> str:
    """Return the note with the run's result in place of its progress; unchanged where there is no room for it."""
    return _with(note, RESULT_MARK, text)


def has_progress(note: str) -> bool:
    """Tell whether a task wrote its progress on the note."""
    found = _OWN_PART.search(note)
    return found is not None and found.group().lstrip().startswith(MARK)


def _with(note: str, mark: str, text: str) -> str:
    others = _OWN_PART.sub("", note).rstrip()
    written = f"{others}\n\n{mark}{text}" if others else f"{mark}{text}"
    return written if len(written) <= MAX_NOTE_LENGTH else note


class _Api:
    """Airflow's REST API as one user."""

    def __init__(self, connection: Connection) -> None:
        import requests

        self._base_url = _base_url(connection)
        self._login = {"username": connection.login, "password": connection.password}
        self._session = requests.Session()
        # With an explicit auth requests does not look for one in a .netrc, which would replace the token.
        self._session.auth = self._sign
        self._token: str | None = None

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make a call, with a new token where the old one has ended; raise `requests.RequestException` or ValueError."""
        if self._token is None:
            self._authenticate()
        answer = self._send(method, path, body)
        if answer.status_code == _UNAUTHORIZED:
            self._authenticate()
            answer = self._send(method, path, body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> requests.Response:
        return self._session.request(
            method, f"{self._base_url}{path}", json=body, timeout=TIMEOUT_SECONDS, allow_redirects=False
        )

    def _authenticate(self) -> None:
        self._token = None
        answer = self._send("POST", "/auth/token", self._login)
        answer.raise_for_status()
        token = str(answer.json()["access_token"])
        mask_secret(token)
        self._token = token

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _base_url(connection: Connection) -> str:
    host = (connection.host or "").rstrip("/")
    if "://" not in host:
        host = f"{connection.schema or 'http'}://{host}"
    return f"{host}:{connection.port}" if connection.port else host


def _error_text(error: Exception) -> str:
    """Name what went wrong without the address or a body: `requests` quotes both."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"{type(error).__name__}, HTTP {status}" if status else type(error).__name__
