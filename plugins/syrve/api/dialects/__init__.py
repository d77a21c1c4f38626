"""The two shapes of the API, each one object: paths, encoders and capabilities. Nothing outside this package compares their names."""

from __future__ import annotations

from syrve.api.dialects.base import Capabilities, Dialect
from syrve.api.dialects.cloud import CLOUD
from syrve.api.dialects.reference import REFERENCE
from syrve.api.errors import UnsupportedByDialect

__all__ = ["DIALECTS", "Capabilities", "Dialect", "dialect_named"]

_DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (REFERENCE, CLOUD)}

DIALECTS: tuple[str, ...] = tuple(_DIALECTS)
"""The names, the default first."""


def dialect_named(name: str) -> Dialect:
    """Return the dialect of that name; raise `UnsupportedByDialect` for one that does not exist."""
    if name not in _DIALECTS:
        raise UnsupportedByDialect(
            f"there is no dialect {name!r}; set dialect to one of {', '.join(_DIALECTS)}",
            operation="connection",
        )
    return _DIALECTS[name]
