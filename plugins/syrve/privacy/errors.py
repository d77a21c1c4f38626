"""What can go wrong with an erasure or an export; like the errors of `syrve.wallet`, each says once whether a task should try again."""

from __future__ import annotations

from typing import ClassVar


class PrivacyError(Exception):
    """An erasure or an export can't be carried out; the text names no person."""

    retry_after_seconds: ClassVar[float | None] = None


class UnusableRequest(PrivacyError):
    """The people to erase or to export are not named in a way that can be used."""


class ErasureHindered(PrivacyError):
    """Some people could not be erased now; the others were. The text says why, in counts."""

    retry_after_seconds: ClassVar[float | None] = 300.0
