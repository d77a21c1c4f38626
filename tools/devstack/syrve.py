"""The simulated Syrve as any client sees it: a token, then calls."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

TIMEOUT_SECONDS = 10.0


class SignedIn:
    """A session with a token; raises requests' errors."""

    def __init__(self, session: requests.Session, base_url: str) -> None:
        self._session = session
        self._base_url = base_url

    def ask(self, path: str, body: Mapping[str, object]) -> Any:
        """Call an operation by its path below /api/1 and return its answer."""
        response = self._session.post(f"{self._base_url}/api/1/{path}", json=body, timeout=TIMEOUT_SECONDS)
        response.raise_for_status()
        return response.json() if response.content else None


@contextmanager
def signed_in(base_url: str, api_login: str) -> Iterator[SignedIn]:
    """Sign in with an api login."""
    with requests.Session() as session:
        client = SignedIn(session, base_url)
        session.headers["Authorization"] = f"Bearer {client.ask('access_token', {'apiLogin': api_login})['token']}"
        yield client
