"""Says what an HTTP status and body mean, in the terms of the error tree; what they mean for money is in `money_answers`.

An error inside a body counts by the body's own status: a 200 or a 400 that says 500 is the service failing, not refusing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from syrve.api.endpoints import Endpoint, Family, Safety
from syrve.api.errors import (
    AuthenticationFailed,
    ConfigurationError,
    LoyaltyNotConfigured,
    MalformedAnswer,
    NotFound,
    PermissionDenied,
    RateLimited,
    Rejected,
    ServiceUnavailable,
    SyrveError,
    UnreadableAnswer,
)
from syrve.api.money_answers import LOYALTY_NOT_CONFIGURED_CODES, read_money_answer
from syrve.api.reading import NOT_JSON, Reading, read

NOT_FOUND_CODES = frozenset(
    {
        "Transport_WrongCustomerNumber",
        "Transport_WrongCustomerId",
        "Transport_WrongCardNumber",
        "Transport_WrongCarTrack",
        "Card_CanNotFindByNumber",
        "Card_CanNotFindByTrack",
        "Validation_IncorrectPhone",
        "Customer_CustomerNotFound",
    }
)
_NO_SUCH_USER = re.compile(r"there is no user with", re.IGNORECASE)


class NeedsNewToken:
    """The token was refused; whether that is the end is for the call to decide."""


def interpret(endpoint: Endpoint, status: int, body: bytes) -> Any | SyrveError | NeedsNewToken:
    """Return the parsed JSON of a good answer, else the error that the answer amounts to (returned, not raised)."""
    reading = read(status, body)
    if endpoint.safety is Safety.MONEY:
        return read_money_answer(endpoint, reading)
    if 200 <= status < 300:
        if reading.repeats_key:
            return _ambiguous(endpoint, status)
        if reading.body is NOT_JSON:
            return UnreadableAnswer("the answer is not JSON", operation=endpoint.operation, status=status)
        if not _is_error_inside_200(reading.body):
            return reading.body
    return _error(endpoint, reading)


def _error(endpoint: Endpoint, reading: Reading) -> SyrveError | NeedsNewToken:
    operation, correlation = endpoint.operation, reading.correlation_id
    status = _status_that_counts(reading)
    if status == 429:
        return RateLimited("Syrve asks to slow down", operation=operation, correlation_id=correlation)
    if status == 408 or status >= 500:
        return ServiceUnavailable(
            "Syrve cannot answer now", operation=operation, status=status, correlation_id=correlation
        )
    if status in (401, 403):
        return _refused_access(endpoint, status, reading)
    if 300 <= status < 400 or status < 200:
        return ConfigurationError(
            "Syrve answers with a redirect; check the host of the connection", operation=operation, status=status
        )
    return _refusal(endpoint, status, reading)


def _status_that_counts(reading: Reading) -> int:
    """Return the body's own status where a 200 or a 400 carries one that says more."""
    own = reading.own_status
    says_more = own is not None and own >= 400 and (200 <= reading.http_status < 300 or reading.http_status == 400)
    return own if own is not None and says_more else reading.http_status


def _is_error_inside_200(value: Any) -> bool:
    if not isinstance(value, Mapping) or "id" in value or "couponInfo" in value:
        return False
    status = value.get("httpStatusCode")
    return bool(value.get("errorCode") or value.get("errorDescription")) or (isinstance(status, int) and status >= 400)


def _refused_access(endpoint: Endpoint, status: int, reading: Reading) -> SyrveError | NeedsNewToken:
    if endpoint.family is Family.AUTH:
        return AuthenticationFailed(
            "Syrve refuses the api login; check the password field of the connection and that the login is active",
            operation=endpoint.operation,
            status=status,
            correlation_id=reading.correlation_id,
        )
    if status == 403 or reading.names_missing_right:
        return PermissionDenied(
            f"the api login lacks the right {endpoint.right!r}; grant it in Syrve's back office, then run again",
            right=endpoint.right,
            operation=endpoint.operation,
            status=status,
            correlation_id=reading.correlation_id,
        )
    return NeedsNewToken()


def _ambiguous(endpoint: Endpoint, status: int) -> MalformedAnswer:
    return MalformedAnswer(
        "the answer names a field twice, with different values", operation=endpoint.operation, status=status
    )


def _refusal(endpoint: Endpoint, status: int, reading: Reading) -> SyrveError:
    operation, correlation, codes = endpoint.operation, reading.correlation_id, reading.codes
    code = codes[0] if codes else None
    if reading.repeats_key:
        return _ambiguous(endpoint, status)
    if status == 404 and not isinstance(reading.body, Mapping):
        return ConfigurationError(
            "Syrve does not know this path; check the host and path_segment of the connection",
            operation=operation,
            status=status,
        )
    if LOYALTY_NOT_CONFIGURED_CODES.intersection(codes):
        return LoyaltyNotConfigured(
            "loyalty is not set up for this organization; leave it out of organization_ids or have it set up",
            operation=operation,
            status=status,
            code=code,
            correlation_id=correlation,
        )
    absent = NOT_FOUND_CODES.intersection(codes) or status == 404 or _NO_SUCH_USER.search(reading.text)
    if endpoint.not_found_is_normal and absent:
        return NotFound(
            "nothing is known under this key",
            operation=operation,
            status=status,
            code=code,
            correlation_id=correlation,
        )
    return Rejected(
        "Syrve refused the request", operation=operation, status=status, code=code, correlation_id=correlation
    )
