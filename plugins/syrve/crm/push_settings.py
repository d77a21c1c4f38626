"""How a push works, in one place; the policies of the fields are in `crm.field_policy`."""

from __future__ import annotations

from dataclasses import dataclass, field

from syrve.warehouse.limits import BreakerSettings


@dataclass(frozen=True, slots=True)
class PushSettings:
    """Sizes are customers; times are seconds.

    A task sends up to `max_concurrency` customers at once, and no more than the connection's own `max_concurrency`; each of its threads
    claims up to `batch_size` at a time.
    A failure that may pass is tried again after `retry_seconds`, doubled each time up to `retry_ceiling_seconds`; after
    `refusals_to_block` refusals of the same kind the row waits for a person. After `outage_failures` failures in a row the task gives up.
    `settle_seconds` is how long a customer may stay unknown to look-ups after being created (facts, section 4.2); an answer that came
    within `in_flight_seconds` of an acknowledgement may be older than the push. A plan that would change one field of more customers than
    `breaker` allows, of those whom the CRM has, holds these rows back.
    """

    max_concurrency: int = 8
    batch_size: int = 10
    lease_seconds: float = 900.0
    retry_seconds: float = 300.0
    retry_ceiling_seconds: float = 6 * 3600.0
    refusals_to_block: int = 3
    outage_failures: int = 5
    settle_seconds: float = 30.0
    in_flight_seconds: float = 20.0
    breaker: BreakerSettings = field(default_factory=lambda: BreakerSettings(share=0.2, at_least=100))
