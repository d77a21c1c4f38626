"""The errors of sources under the names that this package's jobs raise; see `syrve.sources.errors`."""

from __future__ import annotations

from syrve.sources.errors import UnreadableSource, UnusableSource

__all__ = ["UnreadableSource", "UnusableSource"]
