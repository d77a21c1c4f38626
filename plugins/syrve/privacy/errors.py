"""Errors of erasures, exports and retention."""

from __future__ import annotations

from typing import ClassVar

from syrve.errors import SyrveProviderError


class PrivacyError(SyrveProviderError):
    """An erasure or an export can't be carried out; the text names no person."""


class UnusableRequest(PrivacyError):
    """The people to erase or to export are not named in a way that can be used."""


class UnreadableReceipts(PrivacyError):
    """Files among the receipts of erasures are none; all other work of the run was done."""


class ErasureHindered(PrivacyError):
    """Some people could not be erased now; the others were. The text says why, in counts."""

    retry_after_seconds: ClassVar[float | None] = 300.0
