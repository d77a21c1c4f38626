"""What can go wrong with a check: its file, or what it looks at."""

from __future__ import annotations

from syrve.errors import SyrveProviderError


class QualityError(SyrveProviderError):
    """A check could not be made, or failed."""


class MalformedCheck(QualityError):
    """A file of `sql/checks` is not as a check must be."""


class CheckFailed(QualityError):
    """Rows of the warehouse are not as they must be; the text names them by ids and says what to do."""
