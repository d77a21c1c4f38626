"""What a run did, in one sentence, for the Syrve page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORDS = (
    ("requested", "looked up"),
    ("changed", "changed"),
    ("not_found", "not found"),
    ("rejected", "rejected"),
    ("failed", "failed"),
    ("held_back", "held back"),
)
_OWN_WORDS: Mapping[str, Mapping[str, str]] = {
    "syrve_roster_import": {"requested": "read", "changed": "added or changed"},
    "syrve_crm_import": {"requested": "read", "changed": "added or changed"},
    "syrve_wallet_import": {"requested": "read", "changed": "added"},
    "syrve_crm_push": {"requested": "sent", "changed": "acknowledged", "rejected": "refused"},
    "syrve_coupons": {"requested": "coupons looked up"},
}


def counts_told(dag_id: str, counts: Mapping[str, Any] | None) -> str:
    """Say the counts of `sync.run` in words, such as `2,052 looked up, 1 changed`; empty where all are zero."""
    own = _OWN_WORDS.get(dag_id, {})
    return ", ".join(f"{int(counts[name]):,} {own.get(name, told)}" for name, told in _WORDS if counts and counts[name])


def as_sentence(told: str, otherwise: str) -> str:
    """Make a sentence of it."""
    return f"{told[:1].upper()}{told[1:]}." if told else otherwise
