"""What can go wrong with a release, beside what can with money (`syrve.wallet.errors`).

::

    WalletError
    ├── AnswerUnclear            a person's answer says two things at once: nothing is done     never retry
    └── MoneyNotSent
        └── ReleaseIncomplete    some of the approved holds could not be cancelled yet          retry
"""

from __future__ import annotations

from syrve.wallet.errors import MoneyNotSent, WalletError


class AnswerUnclear(WalletError):
    """A person's answer says two things at once; nothing is done, and the question may be asked again."""


class ReleaseIncomplete(MoneyNotSent):
    """Some of the approved holds could not be cancelled yet; what was cancelled stays, and is not sent again."""
