"""Tells the channels that a run is late, as the callback of a deadline: from Airflow's triggerer, so also while no worker is free."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from syrve.notifications.channels import DEFAULT_CHANNELS_CONN_ID
from syrve.notifications.sending import send_through

_ENDED = ("success", "failed")


async def tell_late_run(
    *, minutes: int, conn_id: str = DEFAULT_CHANNELS_CONN_ID, context: Mapping[str, Any] | None = None
) -> bool:
    """Say which run has not ended `minutes` after it was queued; true if a channel took it, and if the run has ended in between.

    Airflow 3.3 also calls this for a run that failed long before: the channels know of that one.
    """
    run = (context or {}).get("dag_run") or {}
    if run.get("state") in _ENDED:
        return True
    dag_id = run.get("dag_id") or "a DAG"
    body = (
        f"Run: {run.get('dag_run_id') or run.get('run_id') or 'not known'}\n"
        f"It was queued more than {minutes} minutes ago and has not ended: no worker is free, the pool is full, or Syrve answers slowly. "
        "Until it ends, open money is not looked at and no alert is sent."
    )
    return await asyncio.to_thread(send_through, conn_id, f"{dag_id} is late", body, "warning", about="a late run")
