"""Which findings' holds may be released; plain names, cheap to import."""

from __future__ import annotations

from syrve.severity import SEVERITIES

DEFAULT_RULES = ("charged_hold_open", "order_failed_hold_open")
"""By the ledger these holds are no longer needed."""

RULES = (*DEFAULT_RULES, "duplicate_hold", "stale_hold", "hold_without_order", "hold_outcome_unknown")
"""All whose findings name a hold that Syrve may know.

The others are asked about only where they are chosen: of two holds the order service may know the second, a long order may still use its
hold, an order may only be late, a hold may never have been made. A cancellation whose outcome is unknown is settled, and no other is sent.
"""


def severities_from(lowest: str) -> list[str]:
    """Return a severity and those above it; raise ValueError for a word that is none."""
    if lowest not in SEVERITIES:
        raise ValueError(f"the severity must be one of {', '.join(SEVERITIES)}")
    return list(SEVERITIES[SEVERITIES.index(lowest) :])
