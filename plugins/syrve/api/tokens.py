"""Keeps one access token and knows when to get the next one; no I/O.

Facts, section 2: a token lasts about an hour and has no refresh token; a v2 token says its end in the `exp` claim.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from typing import Any

from syrve.api.config import SyrveConfig
from syrve.api.dialects.base import Body, Dialect
from syrve.api.endpoints import ACCESS_TOKEN, ACCESS_TOKEN_V2, Endpoint
from syrve.api.errors import MalformedAnswer

RENEWAL_MARGIN_SECONDS = 120.0
_FITS_A_HEADER = re.compile(r"[\x21-\x7e]+")


def token_question(config: SyrveConfig, dialect: Dialect) -> tuple[Endpoint, Body]:
    """Return how this account asks for a token: v2 where the connection has an application id, else v1."""
    if config.app_id is None:
        return ACCESS_TOKEN, dialect.body(ACCESS_TOKEN.operation, config.api_login)
    api_key, _, client_secret = config.api_login.partition(":")
    return ACCESS_TOKEN_V2, dialect.body(ACCESS_TOKEN_V2.operation, api_key, config.app_id, client_secret)


class TokenKeeper:
    """Holds the current token with the monotonic time at which it should be replaced, a little before it expires."""

    def __init__(self, lifetime_seconds: float) -> None:
        self._lifetime_seconds = lifetime_seconds
        self._token: str | None = None
        self._renew_at = 0.0

    def current(self, now: float) -> str | None:
        """Return the token while it is good, else None."""
        return self._token if self._token is not None and now < self._renew_at else None

    def keep(self, answer: Any, now: float) -> str:
        """Take the token out of the answer to `access_token` and keep it; raise `MalformedAnswer` if there is none that fits a header."""
        token = answer.get("token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not _FITS_A_HEADER.fullmatch(token):
            raise MalformedAnswer("the answer has no usable token", operation="access_token")
        lifetime = min(_seconds_left(token) or self._lifetime_seconds, self._lifetime_seconds)
        self._token = token
        self._renew_at = now + lifetime - min(RENEWAL_MARGIN_SECONDS, lifetime / 4)
        return token

    def drop(self, token: str | None) -> None:
        """Forget a token that was refused, unless it has been replaced meanwhile."""
        if token == self._token:
            self._token = None


def _seconds_left(token: str) -> float | None:
    """Read how long a JWT is still good from its `exp` claim, or None where it is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return max(1.0, float(claims["exp"]) - time.time())
    except (binascii.Error, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
