"""What can go wrong with money; like the errors of `syrve.api`, each says once whether a task should try again.

::

    WalletError                  never retry unless said
    ├── UnusableOperation        an amount, comment or id that can't be taken into the ledger
    ├── LedgerConflict           the same key with other content
    ├── PaymentRefused           Syrve refused: the order is not paid
    ├── PaymentUnsettled         it is not known whether money moved, or evidence is missing: a person must look
    ├── OrderFailed              the order of a resumed payment had failed; its hold was given back
    ├── PlanChanged              what was approved is not what would be sent
    ├── LedgerFenced             the ledger may be older than the world, as after a restore: a person must look
    └── MoneyNotSent             certainly nothing moved, and another attempt may work          retry
        ├── MoneyTurnedAway      no money call can work until a person acts; says what to do   retry
        ├── PaymentBusy          another process is at the same payment                         retry
        └── TopupIncomplete      some of a campaign could not be sent                           retry

None of them holds a name, a phone or a comment.
"""

from __future__ import annotations

from typing import ClassVar

from syrve.errors import SyrveProviderError


class WalletError(SyrveProviderError):
    """Something about money went wrong."""


class UnusableOperation(WalletError):
    """The operation can't be taken into the ledger as it is."""


class LedgerConflict(WalletError):
    """The key is taken by an operation of other content."""


class PaymentRefused(WalletError):
    """Syrve refused to set the money aside or to take it: the order is not paid."""


class PaymentUnsettled(WalletError):
    """It is not known yet whether money moved; the ledger keeps the operations, and reconciliation shows them."""


class OrderFailed(WalletError):
    """The order of this payment failed or was cancelled before."""


class PlanChanged(WalletError):
    """What was approved is not what would be sent now."""


class LedgerFenced(WalletError):
    """The ledger was restored, lost its end or is on another server: no money is moved until a person lifts the fence."""


class MoneyNotSent(WalletError):
    """Certainly nothing moved, and another attempt may work: no connection, a refused token, a rate limit."""

    retry_after_seconds: ClassVar[float | None] = 60.0


class MoneyTurnedAway(MoneyNotSent):
    """Calls are turned away until a person acts (maintenance, a wrong host, a missing right, loyalty switched off): the run stops."""


class PaymentBusy(MoneyNotSent):
    """Another process is at the same payment."""


class TopupIncomplete(MoneyNotSent):
    """Part of a campaign could not be sent; what was credited stays, and is not sent again."""
