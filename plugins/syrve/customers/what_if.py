"""What other budgets of calls would buy: the delay, age and longest interval of an account's customers under each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syrve.customers.freshness import least_budget, spend
from syrve.customers.refit import Account

CALLS_PER_DAY = 1440 / 1.01
"""Calls per day of a budget of one per minute."""


def outlooks(account: Account, budgets: Sequence[float]) -> dict[str, Any]:
    """Return what the present budget and the others (calls per minute) buy, in days, and the least that keeps the promised age."""
    parts = list(account.parts.values())
    now = account.calls_per_day / CALLS_PER_DAY
    rows = []
    for budget in sorted({round(now, 3), *budgets}):
        left = max(0.1 * budget * CALLS_PER_DAY, budget * CALLS_PER_DAY - account.other_calls_per_day)
        outlook = spend(parts, left)
        rows.append(
            {
                "calls_per_minute": budget,
                "is_present": budget == round(now, 3),
                "mean_delay_days": outlook.mean_delay_days,
                "mean_age_days": outlook.mean_age_days,
                "longest_interval_days": outlook.longest_days,
                "keeps_max_age": outlook.keeps_max_age,
            }
        )
    needed = (least_budget(parts) + account.other_calls_per_day) / CALLS_PER_DAY
    return {
        "organizations": len(parts),
        "identities": round(sum(part.identities for part in parts)),
        "least_calls_per_minute_for_max_age": needed,
        "budgets": rows,
    }
