"""A process of its own that spends a shared call budget; see warehouse/test_call_budget.py."""

import time
from dataclasses import dataclass
from typing import Any

from syrve.api.bulk import BulkLookup
from syrve.api.config import SyrveConfig
from syrve.api.models import Lookup
from syrve.warehouse.budget import CallBudget
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text


@dataclass(frozen=True)
class Share:
    """What one process is told."""

    url: str
    dsn: str
    organization_id: str
    phones: tuple[str, ...]
    per_minute: int
    until: float
    cap_per_minute: float | None = None


def spend(share: Share, sent: Any) -> None:
    config = SyrveConfig(share.url, "demo-login", budgets={"customer": share.per_minute})
    taker = CallBudget(
        Warehouse(url_from_text(share.dsn)),
        account=config.login_fingerprint,
        per_minute=config.budgets,
        bulk=True,
        backfill=share.cap_per_minute is not None,
        cap_per_minute=share.cap_per_minute,
    )
    calls = retries = 0
    with taker, BulkLookup(config, permits=taker) as bulk:
        while time.time() < share.until:
            bulk.look_up([Lookup(share.organization_id, "phone", phone) for phone in share.phones])
            stats = bulk.stats.take()
            calls, retries = calls + stats.calls, retries + stats.retries
    sent.put((calls, retries))
