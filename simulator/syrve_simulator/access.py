"""Who may call: the one api login, its tokens and its rights."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

_MOST_TOKENS = 100_000


class Access:
    """Tokens that expire, and rights that can be taken away."""

    def __init__(
        self, api_login: str, token_lifetime_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api_login = api_login
        self._clock = clock
        self._expiry: dict[bytes, float] = {}
        self.token_lifetime_seconds = token_lifetime_seconds
        self.removed_rights: frozenset[str] = frozenset()

    def knows(self, api_login: str) -> bool:
        """Say whether this is the login that the simulator was started with."""
        return secrets.compare_digest(api_login.encode(), self._api_login.encode())

    def issue(self) -> str:
        """Return a new token, good for `token_lifetime_seconds` from now."""
        now = self._clock()
        if len(self._expiry) >= _MOST_TOKENS:
            self._expiry = {token: expiry for token, expiry in self._expiry.items() if expiry > now}
        token = secrets.token_hex(64)
        self._expiry[token.encode()] = now + self.token_lifetime_seconds
        return token

    def allows(self, authorization: bytes | None) -> bool:
        """Say whether an Authorization header holds a token that is good now."""
        if authorization is None or authorization[:7].lower() != b"bearer ":
            return False
        expiry = self._expiry.get(authorization[7:].strip())
        return expiry is not None and self._clock() < expiry

    def expire_all(self) -> int:
        """Make every token unknown and return how many there were."""
        count = len(self._expiry)
        self._expiry.clear()
        return count
