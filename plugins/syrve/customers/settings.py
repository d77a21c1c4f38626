"""How a pull works, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from syrve.warehouse.limits import BreakerSettings

OUTAGE_BATCH_SIZE = 20
"""A batch of at least so many look-ups of which none got an answer is an outage, not a matter of single customers."""
BATCH_SIZE = 2_000
BACKFILL_LEASE_SECONDS = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class PullSettings:
    """Sizes are identities; times are seconds.

    `batch_size` is what a task has leased at once: while one half of it is looked up, the other is merged. `floor_seconds` to
    `ceiling_seconds` is the range in which the distance between two look-ups of the same identity moves; an organization's own settings
    (`sync.refresh_policy`) come before these. An active customer, one whose wallet moved in the last `active_for_seconds`, is looked up
    every `active_floor_seconds` to begin with. A transient failure is tried in `rounds` batches before it counts as failed; more than
    `failed_tolerance_share` of those fails the task. `breaker` says how many customers may be gone at once.
    """

    batch_size: int = BATCH_SIZE
    lease_seconds: float = 900.0
    floor_seconds: float = 6 * 3600.0
    ceiling_seconds: float = 7 * 24 * 3600.0
    not_found_ceiling_seconds: float = 30 * 24 * 3600.0
    active_floor_seconds: float = 15 * 60.0
    active_for_seconds: float = 2 * 24 * 3600.0
    active_grace_seconds: float = 3600.0
    """How long an active customer may be overdue before `syrve_customers` takes them along too."""
    failed_seconds: float = 60.0
    rounds: int = 3
    failed_tolerance_share: float = 0.01
    breaker: BreakerSettings = field(default_factory=BreakerSettings)


def pull_settings(batch_size: int, calls_per_minute: float) -> PullSettings:
    """Return the settings of a scheduled pull, whose batch is never more than two minutes of the budget."""
    return PullSettings(batch_size=min(batch_size, max(1, int(2 * calls_per_minute))))


def backfill_settings(batch_size: int, calls_per_minute: float, cap_per_minute: float | None) -> PullSettings:
    """Return the settings of a backfill: small batches, because what it leases may have to wait for long behind scheduled pulls.

    A batch is what it gets in some minutes beside them, but large enough for an outage to be told from single failures. Its leases
    outlast such a wait; those of a task that is gone end with its connection all the same.
    """
    rate = min(calls_per_minute, cap_per_minute or calls_per_minute)
    most = max(2 * OUTAGE_BATCH_SIZE, int(rate / 5))
    return PullSettings(batch_size=min(batch_size, most), lease_seconds=BACKFILL_LEASE_SECONDS)
