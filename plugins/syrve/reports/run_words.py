"""What a run did, in one sentence, for its note in Airflow and for the Syrve page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

RUN_WORDS_KEY = "syrve_run_words"
"""Key of the XCom in which a task leaves what its run has done so far: `{"text": "2 changed", "rejected": 0}`."""
_WORDS = (
    ("requested", "looked up"),
    ("changed", "changed"),
    ("not_found", "not found"),
    ("rejected", "rejected"),
    ("failed", "failed"),
    ("held_back", "held back"),
)
MAX_WORDS_LENGTH = 500
_PLAIN = re.compile(rf"[A-Za-z0-9 ,.;:()%'-]{{1,{MAX_WORDS_LENGTH}}}")
"""The characters of our own words: none with which a note, which Airflow shows as Markdown, has a link."""
MOST_FAILED = 3
"""Failed tasks beyond these are counted."""
_OWN_WORDS: Mapping[str, Mapping[str, str]] = {
    "syrve_roster_import": {"requested": "read", "changed": "added or changed"},
    "syrve_crm_import": {"requested": "read", "changed": "added or changed"},
    "syrve_wallet_import": {"requested": "read", "changed": "added"},
    "syrve_crm_push": {"requested": "sent", "changed": "acknowledged", "rejected": "refused"},
    "syrve_coupons": {"requested": "coupons looked up"},
}
COUNT_OTHER_THINGS = tuple(_OWN_WORDS)
"""DAGs whose counts are no look-ups of customers, so that sums of those leave them out."""


def format_run_counts(dag_id: str, counts: Mapping[str, Any] | None) -> str:
    """Say the counts of `sync.run` in words, such as `2,052 looked up, 1 changed`; empty where all are zero."""
    own = _OWN_WORDS.get(dag_id, {})
    return ", ".join(f"{int(counts[name]):,} {own.get(name, text)}" for name, text in _WORDS if counts and counts[name])


def format_result(result: object) -> str:
    """Say the whole numbers of a task's result in words, leaving out what is zero; empty if there are none. Texts are left out."""
    if not isinstance(result, Mapping):
        return ""
    numbers = {
        str(name): value for name, value in result.items() if isinstance(value, int) and not isinstance(value, bool)
    }
    return ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in numbers.items() if value)


def plain_words(text: object) -> str:
    """Return the words that a task left, and nothing if they are not like ours: other users can write into the XCom."""
    return text if isinstance(text, str) and _PLAIN.fullmatch(text) else ""


def format_failure(failed: Mapping[str, int], text: str) -> str:
    """Say which tasks of a run failed and how often (by task id), and what the run had done until then."""
    tasks = [f"{task_id} ({count:,} tasks)" if count > 1 else task_id for task_id, count in failed.items()]
    more = f" and {len(tasks) - MOST_FAILED:,} more" if len(tasks) > MOST_FAILED else ""
    begin = f"Failed at {', '.join(tasks[:MOST_FAILED])}{more}, see the log" if tasks else "Failed"
    return f"{begin}; {text}." if text else f"{begin}."


def as_sentence(text: str, otherwise: str) -> str:
    """Make a sentence of it."""
    return f"{text[:1].upper()}{text[1:]}." if text else otherwise
