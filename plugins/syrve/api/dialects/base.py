"""What a dialect is: how each question is put into JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syrve.api.endpoints import unsupported

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One shape of the API: an encoder an operation, from our terms to the JSON body; what it lacks, it does not offer."""

    name: str
    encoders: Mapping[str, Callable[..., Body]]

    def body(self, operation: str, *arguments: Any) -> Body:
        """Return the JSON body of a question; raise `UnsupportedByDialect` for what the dialect does not offer."""
        encoder = self.encoders.get(operation)
        if encoder is None:
            raise unsupported(operation, self.name)
        return encoder(*arguments)


def without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is None: to Syrve an absent field means 'leave it alone'."""
    return {name: value for name, value in fields.items() if value is not None}
