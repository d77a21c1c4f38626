"""Keeps one access token and knows when to get the next one; no I/O.

Facts, section 2: a token lasts about an hour and has no refresh token; a v2 token says its end in the `exp` claim.
"""

from __future__ import annotations

import base64
import binascii
import json
import random
import re
import time
from collections import deque
from typing import Any

from syrve.api.config import SyrveConfig
from syrve.api.dialects.base import Body, Dialect
from syrve.api.endpoints import ACCESS_TOKEN, ACCESS_TOKEN_V2, Endpoint
from syrve.api.errors import AuthenticationFailed, MalformedAnswer

RENEWAL_MARGIN_SECONDS = 120.0
MAX_TOKENS_REFUSED_UNUSED = 4
"""After this many tokens in a row with which no call was accepted, the call fails.

One that was accepted before has only grown old, or the newer token of another task displaced it."""
RENEWAL_STEP_SECONDS = 0.25
MAX_RENEWAL_SPACING_SECONDS = 5.0
_MINUTE_SECONDS = 60.0
_FITS_A_HEADER = re.compile(r"[\x21-\x7e]+")


def token_question(config: SyrveConfig, dialect: Dialect) -> tuple[Endpoint, Body]:
    """Return how this account asks for a token: v2 where the connection has an application id, else v1."""
    if config.app_id is None:
        return ACCESS_TOKEN, dialect.body(ACCESS_TOKEN.operation, config.api_login)
    api_key, _, client_secret = config.api_login.partition(":")
    return ACCESS_TOKEN_V2, dialect.body(ACCESS_TOKEN_V2.operation, api_key, config.app_id, client_secret)


class TokenKeeper:
    """Holds the current token with the monotonic time at which it should be replaced, a little before it expires.

    Renewals are bounded by rate: the more of them the last minute saw, the further they are apart. Tasks that displace each other's
    tokens so leave each other time to use one.
    """

    def __init__(self, lifetime_seconds: float, *, rng: random.Random | None = None) -> None:
        self._lifetime_seconds = lifetime_seconds
        self._token: str | None = None
        self._renew_at = 0.0
        self._rng = rng or random.Random()
        self._renewals: deque[float] = deque()
        self._was_accepted = False
        self._refused_unused = 0

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
        self._was_accepted = False
        self._renewals.append(now)
        self._renew_at = now + lifetime - min(RENEWAL_MARGIN_SECONDS, lifetime / 4)
        return token

    def renewal_wait_seconds(self, now: float) -> float:
        """How long to wait before asking for the next token; with jitter, so that tasks do not keep displacing each other in step."""
        while self._renewals and self._renewals[0] <= now - _MINUTE_SECONDS:
            self._renewals.popleft()
        if not self._renewals:
            return 0.0
        spacing = min(MAX_RENEWAL_SPACING_SECONDS, RENEWAL_STEP_SECONDS * len(self._renewals))
        return max(0.0, self._renewals[-1] + spacing * self._rng.uniform(0.5, 1.0) - now)

    def accept(self, token: str | None) -> None:
        """Note that a call got past the check of this token."""
        if token is not None and token == self._token:
            self._was_accepted = True
            self._refused_unused = 0

    def drop(self, token: str | None) -> None:
        """Forget a token that was refused, unless it has been replaced since."""
        if token is None or token != self._token:
            return
        self._token = None
        if not self._was_accepted:
            self._refused_unused += 1

    def refusal(self, operation: str) -> AuthenticationFailed | None:
        """Return the error for a service that takes none of the tokens that it gives out, None while there is hope."""
        if self._refused_unused < MAX_TOKENS_REFUSED_UNUSED:
            return None
        return AuthenticationFailed(
            f"Syrve refused {self._refused_unused} tokens in a row that it had just given out; ask Syrve's support about this api login",
            operation=operation,
            status=401,
        )


def _seconds_left(token: str) -> float | None:
    """Read how long a JWT is still good from its `exp` claim, or None if it is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return max(1.0, float(claims["exp"]) - time.time())
    except (binascii.Error, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
