"""What can go wrong with a source of the roster; like the errors of `syrve.api`, each says once whether a task should try again.

::

    UnusableSource            no identities can be had from it as it is: columns, ending, settings, query   never retry
    └── UnreadableSource      reading it broke off: storage or database out of reach                        retry
"""

from __future__ import annotations

from typing import ClassVar


class UnusableSource(ValueError):
    """The file or query as a whole cannot be imported; the text says why and what it must have, and holds no row value."""

    retry_after_seconds: ClassVar[float | None] = None


class UnreadableSource(UnusableSource):
    """Reading the file or query broke off for a reason that may pass by itself; what was committed before stays."""

    retry_after_seconds: ClassVar[float | None] = 60.0
