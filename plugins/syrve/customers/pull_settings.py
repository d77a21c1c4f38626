"""How a pull works, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from syrve.warehouse.limits import BreakerSettings

OUTAGE_BATCH_SIZE = 20
"""A batch of at least this many look-ups of which none got an answer is an outage, not a matter of single customers."""
BATCH_SIZE = 2_000
BACKFILL_LEASE_SECONDS = 6 * 3600.0
AHEAD_SECONDS = 3600.0
"""How far ahead a scheduled pull looks for work: until the next one begins."""


@dataclass(frozen=True, slots=True)
class PullSettings:
    """Sizes are identities; times are seconds.

    `batch_size` is what a task has leased at once: while one half of it is looked up, the other is merged. No customer is looked up more
    often than every `min_interval_seconds`, nor, if the budget allows it, less often than every `max_age_seconds`; between the two the
    interval follows from weight, learned rate of change and budget (`syrve.customers.freshness`). `crm_weight` is that of customers whom
    the CRM manages, `gone_weight` that of deleted ones and of identities under which nothing usable is known. An organization's own
    settings (`sync.refresh_policy`) come before these. A transient failure is tried in `rounds` batches before it counts as failed; more
    than `failed_tolerance_share` of those fails the task. `breaker` says how many customers may be gone at once.
    """

    batch_size: int = BATCH_SIZE
    lease_seconds: float = 900.0
    min_interval_seconds: float = 15 * 60.0
    max_age_seconds: float = 30 * 24 * 3600.0
    watch_seconds: float = 15 * 60.0
    """Interval of customers who are looked at by the clock."""
    crm_weight: float = 2.0
    gone_weight: float = 0.1
    active_grace_seconds: float = 3600.0
    """How long a customer who is looked at by the clock may be overdue before `syrve_customers` takes them along too."""
    ahead_seconds: float = 0.0
    """With calls to spare, identities that are due within this time are looked up early."""
    failed_seconds: float = 60.0
    rounds: int = 3
    again_within_seconds: float = 60.0
    """An identity whose calls have failed for this time is not tried again in the same run."""
    failed_tolerance_share: float = 0.01
    breaker: BreakerSettings = field(default_factory=BreakerSettings)


def pull_settings(batch_size: int, calls_per_minute: float) -> PullSettings:
    """Return the settings of a scheduled pull, whose batch is never more than two minutes of the budget."""
    return PullSettings(batch_size=min(batch_size, max(1, int(2 * calls_per_minute))), ahead_seconds=AHEAD_SECONDS)


def backfill_settings(batch_size: int, calls_per_minute: float, cap_per_minute: float | None) -> PullSettings:
    """Return the settings of a backfill: small batches, because what it leases may have to wait for long behind scheduled pulls.

    A batch is what it gets in some minutes beside them, but large enough for an outage to be told from single failures. Its leases
    outlast such a wait; those of a task that is gone end with its connection all the same.
    """
    rate = min(calls_per_minute, cap_per_minute or calls_per_minute)
    most = max(2 * OUTAGE_BATCH_SIZE, int(rate / 5))
    return PullSettings(batch_size=min(batch_size, most), lease_seconds=BACKFILL_LEASE_SECONDS)
