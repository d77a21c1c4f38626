"""Which findings' holds may be released; plain names, cheap to import."""

from __future__ import annotations

DEFAULT_RULES = ("charged_hold_open", "order_failed_hold_open", "duplicate_hold")
"""The ledger itself shows that nobody will use these holds any more."""

RULES = (*DEFAULT_RULES, "stale_hold", "hold_without_order", "hold_outcome_unknown")
"""All whose findings name a hold that Syrve may know. The last three are asked about only where they are chosen: a long order may still use
the hold, its order may only be late, or the hold may never have been made. A cancellation without an outcome is settled, not sent again."""

SEVERITIES = ("low", "medium", "high", "critical")


def severities_from(lowest: str) -> list[str]:
    """Return a severity and those above it; raise ValueError for a word that is none."""
    if lowest not in SEVERITIES:
        raise ValueError(f"the severity must be one of {', '.join(SEVERITIES)}")
    return list(SEVERITIES[SEVERITIES.index(lowest) :])
