"""How a pull works, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PullSettings:
    """Sizes are identities; times are seconds.

    `floor_seconds` to `ceiling_seconds` is the range in which the distance between two look-ups of the same identity moves. A transient
    failure is tried in `rounds` batches before it counts as failed; more than `failed_tolerance_share` of those fails the task.
    """

    batch_size: int = 500
    lease_seconds: float = 900.0
    floor_seconds: float = 6 * 3600.0
    ceiling_seconds: float = 7 * 24 * 3600.0
    failed_seconds: float = 60.0
    rounds: int = 3
    failed_tolerance_share: float = 0.01
