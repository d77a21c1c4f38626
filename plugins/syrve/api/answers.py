"""Says what an HTTP status and body mean, in the terms of the error tree.

Facts, section 5: the declared error shape (`errorDescription`, `error`), the loyalty shape (`code`, `errorCode`, `message`), a bare JSON
string, and an error inside a 200 are all read. Their texts are used to recognise a situation and then dropped: they may name a guest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from syrve.api.decode import parse_json
from syrve.api.endpoints import Endpoint, Family, Safety
from syrve.api.errors import (
    AuthenticationFailed,
    ConfigurationError,
    LoyaltyNotConfigured,
    MoneyRefused,
    NotFound,
    PermissionDenied,
    RateLimited,
    Rejected,
    ServiceUnavailable,
    SyrveError,
    UnreadableAnswer,
)

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
LOYALTY_NOT_CONFIGURED_CODES = frozenset({"Transport_WrongCrmId", "Common_OrganizationNotFound"})

_MISSING_RIGHT = re.compile(r"right\s+(\S+)\s+is not allowed", re.IGNORECASE)
_NO_SUCH_USER = re.compile(r"there is no user with", re.IGNORECASE)
_SAFE_CODE = re.compile(r"(?=.{3,60}$)[A-Z][A-Za-z]*(?:_[A-Za-z]+)+")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


class NeedsNewToken:
    """The token was refused; whether that is the end is for the call to decide."""


def interpret(endpoint: Endpoint, status: int, body: bytes) -> Any | SyrveError | NeedsNewToken:
    """Return the parsed JSON of a good answer, else the error that the answer amounts to (returned, not raised)."""
    if 200 <= status < 300:
        return _success(endpoint, status, body)
    operation = endpoint.operation
    try:
        told = parse_json(body)
    except ValueError:
        told = None
    if status == 429:
        return RateLimited("Syrve asks to slow down", operation=operation, correlation_id=correlation_id(told))
    if status == 408 or status >= 500:
        return ServiceUnavailable(
            "Syrve cannot answer now", operation=operation, status=status, correlation_id=correlation_id(told)
        )
    if status in (401, 403):
        return _refused_access(endpoint, status, told)
    if status < 400:
        return ConfigurationError(
            "Syrve answers with a redirect; check the host of the connection", operation=operation, status=status
        )
    return _refusal(endpoint, status, told)


def _success(endpoint: Endpoint, status: int, body: bytes) -> Any | SyrveError:
    try:
        value = parse_json(body)
    except ValueError:
        return UnreadableAnswer("the answer is not JSON", operation=endpoint.operation, status=status)
    if isinstance(value, dict) and _is_error_inside_200(value):
        return _refusal(endpoint, status, value)
    return value


def _is_error_inside_200(value: Mapping[str, Any]) -> bool:
    if "id" in value or "couponInfo" in value:
        return False
    status = value.get("httpStatusCode")
    return bool(value.get("errorCode") or value.get("errorDescription")) or (isinstance(status, int) and status >= 400)


def _refused_access(endpoint: Endpoint, status: int, told: Any) -> SyrveError | NeedsNewToken:
    if endpoint.family is Family.AUTH:
        return AuthenticationFailed(
            "Syrve refuses the api login; check the password field of the connection and that the login is active",
            operation=endpoint.operation,
            status=status,
            correlation_id=correlation_id(told),
        )
    if status == 403 or _MISSING_RIGHT.search(_text_of(told)):
        return PermissionDenied(
            f"the api login lacks the right {endpoint.right!r}; grant it in Syrve's back office, then run again",
            right=endpoint.right,
            operation=endpoint.operation,
            status=status,
            correlation_id=correlation_id(told),
        )
    return NeedsNewToken()


def _refusal(endpoint: Endpoint, status: int, told: Any) -> SyrveError:
    operation, correlation = endpoint.operation, correlation_id(told)
    codes = _codes_of(told)
    code = codes[0] if codes else None
    if status == 404 and not isinstance(told, Mapping):
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
    absent = NOT_FOUND_CODES.intersection(codes) or status == 404 or _NO_SUCH_USER.search(_text_of(told))
    if endpoint.not_found_is_normal and absent:
        return NotFound(
            "nothing is known under this key",
            operation=operation,
            status=status,
            code=code,
            correlation_id=correlation,
        )
    if endpoint.safety is Safety.MONEY:
        return MoneyRefused(
            "Syrve refused to move the money; nothing moved",
            operation=operation,
            status=status,
            code=codes[-1] if codes else None,  # `errorCode` tells a hold already cancelled from an unknown one
            correlation_id=correlation,
        )
    return Rejected(
        "Syrve refused the request", operation=operation, status=status, code=code, correlation_id=correlation
    )


def _text_of(told: Any) -> str:
    if isinstance(told, str):
        return told
    if not isinstance(told, Mapping):
        return ""
    keys = ("errorDescription", "message", "description", "error")
    return " ".join(text for key in keys if isinstance(text := told.get(key), str))


def _codes_of(told: Any) -> list[str]:
    """Return the service's own codes, only where they look like codes (`Words_Joined_So`): anything else might quote a guest."""
    if not isinstance(told, Mapping):
        return []
    values = (told.get("code"), told.get("errorCode"), told.get("error"))
    return [value for value in values if isinstance(value, str) and _SAFE_CODE.fullmatch(value)]


def correlation_id(told: Any) -> str | None:
    """Return the answer's correlation id where it is a uuid."""
    value = told.get("correlationId") if isinstance(told, Mapping) else None
    return value if isinstance(value, str) and _UUID.fullmatch(value) else None
