"""The root of every error of this package; the families below it lie beside the code that raises them.

::

    SyrveProviderError
    ├── SyrveError           syrve.api.errors: a call to Syrve; pulls, pushes and coupons build on it
    ├── WarehouseError       syrve.warehouse.errors: Postgres
    ├── UnusableSource       syrve.sources.errors: a file or query
    ├── ApprovalError        syrve.approvals.errors: an approval
    ├── WalletError          syrve.wallet.errors, syrve.release.errors: money
    ├── FindingsError        syrve.findings.errors: reconciliation
    ├── PrivacyError         syrve.privacy.errors: erasures, exports, retention
    ├── NotificationError    syrve.notifications.errors: a channel
    ├── UnusableStorage      syrve.hooks.storage: a folder or bucket
    ├── MissingExtra         syrve.optional: a library that was left out
    └── UnknownConf          syrve.operators.conf: the configuration of a run

`syrve.operators.retry` makes Airflow's retry policy from the attribute below, so a new class needs no entry in any list.
"""

from __future__ import annotations

from typing import ClassVar


class SyrveProviderError(Exception):
    """Something that this package does could not be done."""

    retry_after_seconds: ClassVar[float | None] = None
    """None: a retry cannot help. Otherwise how long a task should wait before its next try."""
