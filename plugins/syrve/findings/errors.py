"""What can go wrong with reconciliation; like the errors of `syrve.wallet`, each says once whether a task should try again.

::

    FindingsError                never retry
    ├── MalformedRule            a file of sql/findings that can't be read or evaluated
    └── UnusableThresholds       thresholds that are no numbers, or of names that do not exist
"""

from __future__ import annotations

from syrve.errors import SyrveProviderError


class FindingsError(SyrveProviderError):
    """Reconciliation can't be carried out as it is set up."""


class MalformedRule(FindingsError):
    """A rule's file is not as it must be; the text names the file and what it lacks."""


class UnusableThresholds(FindingsError):
    """The thresholds can't be read; the text names the one."""
