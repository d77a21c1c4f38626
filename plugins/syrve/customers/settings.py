"""How a pull works, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PullSettings:
    """Sizes are identities; times are seconds.

    `batch_size` is what a task has leased at once: while one half of it is looked up, the other is merged. `floor_seconds` to
    `ceiling_seconds` is the range in which the distance between two look-ups of the same identity moves; an organization's own settings
    (`sync.refresh_policy`) come before these. An active customer, one whose wallet moved in the last `active_for_seconds`, is looked up
    every `active_floor_seconds` to begin with. A transient failure is tried in `rounds` batches before it counts as failed; more than
    `failed_tolerance_share` of those fails the task.
    """

    batch_size: int = 500
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
