"""Everything that can go wrong between us and Syrve, as one tree.

::

    SyrveError
    ├── ConfigurationError        the connection itself is wrong                        never retry
    │   ├── UnsupportedByDialect  only the other dialect offers this                    never retry
    │   └── UntrustedCertificate  the host can't prove who it is: nothing was sent      never retry
    ├── AuthenticationFailed      the api login is refused                              never retry
    ├── PermissionDenied          the api login lacks a right                           never retry
    ├── Rejected                  Syrve understood and refused                          never retry
    │   ├── NotFound              nothing under that phone, id, card or number
    │   ├── LoyaltyNotConfigured  the organization has no loyalty programme
    │   └── MoneyRefused          a money call that Syrve refused: nothing moved
    ├── MalformedAnswer           JSON of a shape that no dialect has                   never retry
    ├── OutcomeUnknown            a money call whose effect is not known                never retry
    └── Transient                 may pass by itself                                    retry
        ├── RateLimited           429: wait as long as Syrve asks
        ├── ServiceUnavailable    5xx or 408
        ├── ConnectionFailed      reset or timed out
        │   └── NotConnected      no connection was made: nothing was sent
        ├── TokenRefused          refused for its token: nothing moved
        └── UnreadableAnswer      a body that is cut short or is not JSON

The root above it is in `syrve.errors`. Each class says once, in `retry_after_seconds`, what a task should do about it;
`syrve.operators.retry` turns that into Airflow's retry policy. Each says once, in `effect`, what it means where a money call ends with it.
No error carries customer data: text that came from Syrve is never part of a message.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from syrve.errors import SyrveProviderError

__all__ = [
    "AuthenticationFailed",
    "ConfigurationError",
    "ConnectionFailed",
    "Effect",
    "LoyaltyNotConfigured",
    "MalformedAnswer",
    "MoneyRefused",
    "NotConnected",
    "NotFound",
    "OutcomeUnknown",
    "PermissionDenied",
    "RateLimited",
    "Rejected",
    "ServiceUnavailable",
    "SyrveError",
    "TokenRefused",
    "Transient",
    "UnreadableAnswer",
    "UnsupportedByDialect",
    "UntrustedCertificate",
]


class Effect(StrEnum):
    """What became of the money of one call."""

    MOVED = "moved"
    REFUSED = "refused"
    """Syrve looked at the call and refused it: nothing moved, and the same call again would be refused too."""
    NOT_CARRIED_OUT = "not_carried_out"
    """The call was not sent, or was turned away before Syrve looked at it: nothing moved, and another attempt is safe."""
    UNKNOWN = "unknown"


class SyrveError(SyrveProviderError):
    """A call to Syrve failed.

    `operation` is a name of the endpoint table, `status` the HTTP status (None if there was no answer), `code` the service's own
    error code, `correlation_id` what to quote to Syrve's support. `place` is where no answer came from: host and Airflow connection.
    """

    effect: ClassVar[Effect] = Effect.UNKNOWN
    """What it means where a money call ends with it. A class that does not say so leaves the outcome unknown."""

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        status: int | None = None,
        code: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        self.message = message
        self.operation = operation
        self.status = status
        self.code = code
        self.correlation_id = correlation_id
        self.place = ""
        super().__init__(message)

    def __str__(self) -> str:
        facts = [f"status {self.status}" if self.status is not None else "", f"code {self.code}" if self.code else ""]
        facts.append(f"correlation id {self.correlation_id}" if self.correlation_id else "")
        shown_facts = ", ".join(fact for fact in facts if fact)
        where = f"; at {self.place}: check the host, and that this machine may connect to it" if self.place else ""
        return f"{self.operation}: {self.message}" + (f" ({shown_facts})" if shown_facts else "") + where

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), dict(self.__dict__)))


def _rebuild(cls: type[SyrveError], state: dict[str, object]) -> SyrveError:
    error = cls.__new__(cls)
    Exception.__init__(error, state.get("message"))
    error.__dict__.update(state)
    return error


class ConfigurationError(SyrveError):
    """The connection's own settings cannot work."""

    effect: ClassVar[Effect] = Effect.NOT_CARRIED_OUT


class UnsupportedByDialect(ConfigurationError):
    """The connection's dialect has no such operation."""


class UntrustedCertificate(ConfigurationError):
    """The host shows a certificate that this machine does not trust, so nothing was sent to it."""


class AuthenticationFailed(SyrveError):
    """Syrve refuses the api login."""

    effect: ClassVar[Effect] = Effect.NOT_CARRIED_OUT


class PermissionDenied(SyrveError):
    """The api login lacks a right; `right` is its name as Syrve gives it."""

    effect: ClassVar[Effect] = Effect.NOT_CARRIED_OUT

    def __init__(
        self,
        message: str,
        *,
        right: str,
        operation: str,
        status: int | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(message, operation=operation, status=status, correlation_id=correlation_id)
        self.right = right


class Rejected(SyrveError):
    """Syrve understood the request and refused it; sending it again will not help."""


class NotFound(Rejected):
    """Nothing is known under the key that was looked up: a normal answer for a look-up."""


class LoyaltyNotConfigured(Rejected):
    """The organization exists but has no loyalty programme set up."""

    effect: ClassVar[Effect] = Effect.NOT_CARRIED_OUT


class MoneyRefused(Rejected):
    """Syrve refused to move money: not enough of it, an unknown wallet or hold, a hold already cancelled."""

    effect: ClassVar[Effect] = Effect.REFUSED


class MalformedAnswer(SyrveError):
    """The answer is JSON, but not of any shape that this operation has."""


class OutcomeUnknown(SyrveError):
    """A money call was sent and it is not known whether it took effect; it must be settled by evidence, never sent again."""


class Transient(SyrveError):
    """A failure that may pass by itself.

    `tried_seconds` is how long the call had failed when it was given up; `failed_alone` says that others like it were answered in that
    time.
    """

    retry_after_seconds: ClassVar[float | None] = 60.0
    tried_seconds: float = 0.0
    failed_alone: bool = False


class RateLimited(Transient):
    """Syrve asks us to slow down; `wait_seconds` is what it asked for, if it said.

    `outlasts_call` says that the wait is longer than any call may take: who runs the calls should stop, and come back after it.
    """

    effect: ClassVar[Effect] = Effect.NOT_CARRIED_OUT

    retry_after_seconds: ClassVar[float | None] = 120.0

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        status: int | None = 429,
        wait_seconds: float | None = None,
        correlation_id: str | None = None,
        outlasts_call: bool = False,
    ) -> None:
        super().__init__(message, operation=operation, status=status, correlation_id=correlation_id)
        self.wait_seconds = wait_seconds
        self.outlasts_call = outlasts_call


class ServiceUnavailable(Transient):
    """Syrve answers 5xx or 408."""


class ConnectionFailed(Transient):
    """The connection was reset or timed out before an answer was read."""


class NotConnected(ConnectionFailed):
    """No connection was made, so nothing was sent."""

    effect: ClassVar[Effect] = Effect.NOT_CARRIED_OUT


class TokenRefused(Transient):
    """A call was refused for its token, and is not sent again: a money call at once, any other at its deadline. Nothing moved."""

    effect: ClassVar[Effect] = Effect.NOT_CARRIED_OUT


class UnreadableAnswer(Transient):
    """The body was cut short or is not JSON."""
