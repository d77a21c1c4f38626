"""What a dialect is: where each operation is, how its question is put into JSON, and what it can do that not every dialect can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syrve.api.errors import UnsupportedByDialect

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a dialect can do that not every dialect can; callers check these and not the dialect's name."""

    clears_fields: bool
    """`create_or_update` can empty a field."""
    names_holds: bool
    """The caller can choose the id of a hold."""
    removes_category: bool
    """A customer can be taken out of a category."""
    reports_orders: bool
    """The orders of an organization can be read, and webhooks be set up."""
    reports_transactions: bool
    """The movements of a customer's money can be read."""
    sends_order_status: bool
    """`create_or_update` carries `receives_order_status`."""
    takes_app_tokens: bool
    """A token can be had for an `app_id` (v2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One shape of the API: a path and an encoder per operation; what it lacks, it does not offer."""

    name: str
    capabilities: Capabilities
    paths: Mapping[str, str]
    encoders: Mapping[str, Callable[..., Body]]

    def path(self, operation: str, segment: str) -> str:
        """Return the path of an operation under the brand `segment`; raise `UnsupportedByDialect` if the dialect does not offer it."""
        path = self.paths.get(operation)
        if path is None:
            raise unsupported(operation, self.name)
        return path.format(segment=segment)

    def body(self, operation: str, *arguments: Any) -> Body:
        """Return the JSON body of a question; raise `UnsupportedByDialect` for what the dialect does not offer."""
        encoder = self.encoders.get(operation)
        if encoder is None:
            raise unsupported(operation, self.name)
        return encoder(*arguments)


def unsupported(what: str, dialect: str) -> UnsupportedByDialect:
    """Return the error for something that a dialect does not have."""
    return UnsupportedByDialect(
        f"the dialect {dialect!r} does not offer this; set dialect of the connection to the other one if the service does",
        operation=what,
    )


def without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is None: to Syrve an absent field means 'leave it alone'."""
    return {name: value for name, value in fields.items() if value is not None}
