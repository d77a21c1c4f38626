"""What can go wrong with a source; like the errors of `syrve.api`, each says once whether a task should try again.

::

    UnusableSource            it cannot be read as it is: place, encoding, shape, columns, query, size      never retry
    └── UnreadableSource      reading it broke off: storage or database out of reach                        retry

    BadRow                    one row, or one cell of it; the row is rejected and the others go on          not for tasks
"""

from __future__ import annotations

from typing import ClassVar

from syrve.errors import SyrveProviderError


class UnusableSource(SyrveProviderError, ValueError):
    """The file or query as a whole cannot be imported; the text says why and what it must have, and holds no row value."""


class UnreadableSource(UnusableSource):
    """Reading the file or query broke off for a reason that may pass by itself; what was committed before stays."""

    retry_after_seconds: ClassVar[float | None] = 60.0


class BadRow(SyrveProviderError, ValueError):
    """A row that cannot be imported; the text names the column and the problem, never the value."""
