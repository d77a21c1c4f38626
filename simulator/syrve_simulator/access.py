"""Who may call: the one api login and the one application, their tokens and their rights."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

_MOST_TOKENS = 100_000
_JWT_HEADER: dict[str, object] = {"alg": "HS256", "typ": "JWT"}


@dataclass(frozen=True, slots=True)
class Application:
    """What a registered application signs in with."""

    api_key: str
    app_id: str
    client_secret: str

    def matches(self, api_key: str, app_id: str, client_secret: str) -> bool:
        """Say whether these are its key, id (in either case) and secret."""
        given, known = (api_key, app_id.lower(), client_secret), (self.api_key, self.app_id.lower(), self.client_secret)
        return all(
            secrets.compare_digest(ours.encode(), theirs.encode()) for ours, theirs in zip(known, given, strict=True)
        )


class Access:
    """Tokens that expire, and rights that can be taken away."""

    def __init__(
        self,
        api_login: str,
        application: Application,
        token_lifetime_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api_login = api_login
        self._signing_key = secrets.token_bytes(32)
        self.application = application
        self._clock = clock
        self._expiry: dict[bytes, float] = {}
        self.token_lifetime_seconds = token_lifetime_seconds
        self.removed_rights: frozenset[str] = frozenset()
        self.new_token_voids_former = False

    def knows(self, api_login: str) -> bool:
        """Say whether this is the login that the simulator was started with."""
        return secrets.compare_digest(api_login.encode(), self._api_login.encode())

    def issue(self) -> str:
        """Return a new opaque token, good for `token_lifetime_seconds` from now."""
        return self._remember(secrets.token_hex(64))

    def issue_jwt(self) -> str:
        """Return a new token that says in its `exp` claim (whole seconds, as the service has it) when it expires."""
        issued_at = time.time()
        claims: dict[str, object] = {
            "iat": int(issued_at),
            "exp": int(issued_at + self.token_lifetime_seconds),
            "jti": secrets.token_hex(16),
        }
        # written out: the JWT library brings a tenth of a second of cryptography to every start, and no one verifies this signature
        signed = f"{_jwt_part(_JWT_HEADER)}.{_jwt_part(claims)}"
        signature = hmac.digest(self._signing_key, signed.encode(), hashlib.sha256)
        return self._remember(f"{signed}.{_base64url(signature)}")

    def _remember(self, token: str) -> str:
        now = self._clock()
        if self.new_token_voids_former:
            self._expiry.clear()
        if len(self._expiry) >= _MOST_TOKENS:
            self._expiry = {token: expiry for token, expiry in self._expiry.items() if expiry > now}
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


def _jwt_part(values: dict[str, object]) -> str:
    return _base64url(json.dumps(values, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
