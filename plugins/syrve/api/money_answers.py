"""What an answer to a money call means: one table, read from the top, the first row that matches decides.

Only two kinds of answer are believed to the end: an object without any sign of an error in a 2xx (*moved*), and a refusal by one of the
service's own codes (*refused*). What was turned away before the service looked at it is *not carried out*. All else is *unknown*: an error
can be written after the money has moved, so a row that calls one harmless must know why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syrve.api.endpoints import ENDPOINTS, Endpoint, Safety
from syrve.api.errors import (
    ConfigurationError,
    Effect,
    LoyaltyNotConfigured,
    MoneyRefused,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    SyrveError,
    TokenRefused,
)
from syrve.api.reading import Reading

LOYALTY_NOT_CONFIGURED_CODES = frozenset({"Transport_WrongCrmId", "Common_OrganizationNotFound"})

UNSETTLED = "it is not known whether the money moved; settle it by evidence, do not send it again"
_NOTHING_MOVED = "nothing was carried out"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: which answers it is about, what they mean for the money, and the error to raise (None if the money moved)."""

    answers: str
    effect: Effect
    matches: Callable[[Reading], bool]
    error: Callable[[Endpoint, Reading], SyrveError] | None


def read_money_answer(endpoint: Endpoint, reading: Reading) -> Any | SyrveError:
    """Return the parsed JSON of a call that moved the money, else the error that the answer amounts to (returned, not raised)."""
    row = row_for(reading)
    return reading.body if row.error is None else row.error(endpoint, reading)


def row_for(reading: Reading) -> Row:
    """Return the row that an answer falls under."""
    return next(row for row in TABLE if row.matches(reading))


def effect_of(error: SyrveError) -> Effect:
    """Say what an error that ended a money call means for the money.

    An error of another operation (the call for a token) came before the money call: that one was not sent.
    """
    endpoint = ENDPOINTS.get(error.operation)
    is_of_money = endpoint is not None and endpoint.safety is Safety.MONEY
    return error.effect if is_of_money else Effect.NOT_CARRIED_OUT


def outcome_unknown(endpoint: Endpoint, reading: Reading) -> OutcomeUnknown:
    """Return the error for an answer that leaves the outcome open."""
    return OutcomeUnknown(
        UNSETTLED,
        operation=endpoint.operation,
        status=reading.http_status,
        code=_code(reading),
        correlation_id=reading.correlation_id,
    )


def _code(reading: Reading) -> str | None:
    codes = reading.codes
    return codes[-1] if codes else None  # `errorCode` tells a hold already cancelled from an unknown one


def _rate_limited(endpoint: Endpoint, reading: Reading) -> SyrveError:
    return RateLimited("Syrve asks to slow down", operation=endpoint.operation, correlation_id=reading.correlation_id)


def _redirect(endpoint: Endpoint, reading: Reading) -> SyrveError:
    return ConfigurationError(
        f"Syrve answers with a redirect, so {_NOTHING_MOVED}; wait for the end of a maintenance or correct the host of the "
        "connection, then run again",
        operation=endpoint.operation,
        status=reading.http_status,
    )


def _page(endpoint: Endpoint, reading: Reading) -> SyrveError:
    return ConfigurationError(
        f"a web page answers in place of Syrve, so {_NOTHING_MOVED}; wait for the end of a maintenance or correct the host and the "
        "proxy of the connection, then run again",
        operation=endpoint.operation,
        status=reading.http_status,
    )


def _right_missing(endpoint: Endpoint, reading: Reading) -> SyrveError:
    return PermissionDenied(
        f"the api login lacks the right {endpoint.right!r}; grant it in Syrve's back office, then run again",
        right=endpoint.right,
        operation=endpoint.operation,
        status=reading.http_status,
        correlation_id=reading.correlation_id,
    )


def _token_refused(endpoint: Endpoint, reading: Reading) -> SyrveError:
    return TokenRefused(
        "Syrve refused the token, so nothing moved; the next call asks for a new one",
        operation=endpoint.operation,
        status=reading.http_status,
        correlation_id=reading.correlation_id,
    )


def _loyalty_is_off(endpoint: Endpoint, reading: Reading) -> SyrveError:
    return LoyaltyNotConfigured(
        f"loyalty is not set up for this organization, so {_NOTHING_MOVED}; have it set up or leave the organization out, then run again",
        operation=endpoint.operation,
        status=reading.http_status,
        code=_code(reading),
        correlation_id=reading.correlation_id,
    )


def _unknown_path(endpoint: Endpoint, reading: Reading) -> SyrveError:
    return ConfigurationError(
        f"Syrve does not know this path, so {_NOTHING_MOVED}; correct the host and path_segment of the connection, then run again",
        operation=endpoint.operation,
        status=reading.http_status,
        correlation_id=reading.correlation_id,
    )


def _refused(endpoint: Endpoint, reading: Reading) -> SyrveError:
    return MoneyRefused(
        "Syrve refused to move the money; nothing moved",
        operation=endpoint.operation,
        status=reading.http_status,
        code=_code(reading),
        correlation_id=reading.correlation_id,
    )


def _is_good(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


def _is_refusing(status: int | None) -> bool:
    return status is not None and 400 <= status < 500


def _is_failing(status: int | None) -> bool:
    return status is not None and (status >= 500 or status == 408)


def _says(reading: Reading, *statuses: int) -> bool:
    """Whether the HTTP status, or that of an error inside a 2xx or a 400, is one of these."""
    of_body = reading.own_status if _is_good(reading.http_status) or reading.http_status == 400 else None
    return reading.http_status in statuses or of_body in statuses


def _contradicts_itself(reading: Reading) -> bool:
    """Whether a body names a field twice, an error's status beside another status, or beside the id of what was made in a 2xx."""
    if reading.repeats_key:
        return True
    statuses = set(reading.own_statuses)
    if not any(_is_refusing(status) for status in statuses):
        return False
    return len(statuses) > 1 or (_is_good(reading.http_status) and bool(reading.body.get("transactionId")))


def _is_own_refusal(reading: Reading) -> bool:
    """Whether the service itself refuses: by its own code, under a status that says so, and without a word that contradicts it."""
    if not reading.codes or reading.names_trouble or reading.body.get("transactionId"):
        return False
    if _is_refusing(reading.http_status):
        return reading.own_status is None or _is_refusing(reading.own_status)
    return _is_good(reading.http_status) and (reading.own_status is None or _is_refusing(reading.own_status))


def _has_moved(reading: Reading) -> bool:
    return _is_good(reading.http_status) and isinstance(reading.body, Mapping) and not reading.has_error_sign


TABLE: tuple[Row, ...] = (
    Row(
        "HTTP 5xx or 408, or a number that is not a status",
        Effect.UNKNOWN,
        lambda reading: _is_failing(reading.http_status) or reading.http_status < 200,
        outcome_unknown,
    ),
    Row(
        "a body one of whose own statuses is 500 or above, or 408, or that contradicts itself",
        Effect.UNKNOWN,
        lambda reading: any(map(_is_failing, reading.own_statuses)) or _contradicts_itself(reading),
        outcome_unknown,
    ),
    Row(
        "429, also as the own status of a body",
        Effect.NOT_CARRIED_OUT,
        lambda reading: _says(reading, 429),
        _rate_limited,
    ),
    Row(
        "3xx: a redirect",
        Effect.NOT_CARRIED_OUT,
        lambda reading: 300 <= reading.http_status < 400,
        _redirect,
    ),
    Row(
        "4xx with a web page",
        Effect.NOT_CARRIED_OUT,
        lambda reading: _is_refusing(reading.http_status) and reading.is_page,
        _page,
    ),
    Row(
        "401 with the text of a missing right, or 403; also as the own status of a body",
        Effect.NOT_CARRIED_OUT,
        lambda reading: _says(reading, 403) or (_says(reading, 401) and reading.names_missing_right),
        _right_missing,
    ),
    Row(
        "any other 401: the token is refused",
        Effect.NOT_CARRIED_OUT,
        lambda reading: _says(reading, 401),
        _token_refused,
    ),
    Row(
        "a code which says that the organization has no loyalty programme",
        Effect.NOT_CARRIED_OUT,
        lambda reading: _is_own_refusal(reading) and bool(LOYALTY_NOT_CONFIGURED_CODES.intersection(reading.codes)),
        _loyalty_is_off,
    ),
    Row(
        "4xx, or an error inside a 2xx, with a code of the service's own that is about the request",
        Effect.REFUSED,
        _is_own_refusal,
        _refused,
    ),
    Row(
        "404 or 405 without a code: no such path",
        Effect.NOT_CARRIED_OUT,
        lambda reading: reading.http_status in (404, 405) and not reading.codes and not reading.names_trouble,
        _unknown_path,
    ),
    Row("2xx with a JSON object that has no sign of an error", Effect.MOVED, _has_moved, None),
    Row("anything else", Effect.UNKNOWN, lambda _: True, outcome_unknown),
)
