"""How much may change at once without a question; apart from what counts it, so that a DAG file can be parsed without a database driver."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """At most `share` of the customers that a run looks at may change in one way, or `at_least` if that is more; see `breaker.OF_A_DAY`."""

    share: float = 0.02
    at_least: int = 20

    def allowed(self, looked: int) -> int:
        """Return how many of a number of customers may change."""
        return max(self.at_least, int(self.share * looked))


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run has come to for one kind and field."""

    field: str
    looked: int
    affected: int
    allowed: int

    @property
    def is_too_much(self) -> bool:
        """Whether more customers change than may."""
        return self.affected > self.allowed
