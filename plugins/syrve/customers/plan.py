"""Plans a pull: which organizations, how much is due, how many shards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from syrve.customers.claims import Tier, grace_seconds
from syrve.customers.pull_settings import PullSettings
from syrve.customers.refit import refit
from syrve.organizations import chosen
from syrve.warehouse.clock import put_times_right
from syrve.warehouse.database import Cursor, Warehouse, fetch_one
from syrve.warehouse.sql_files import sql

CRM_EDITS_SECONDS = 30 * 24 * 3600
"""How far back edits of the CRM are looked at; what it edited earlier has been looked up since."""


@dataclass(frozen=True, slots=True)
class PullPlan:
    """`shards` are `{"organization_id", "shard", "max_identities", "expected", "tier"}`.

    `not_visible` are organizations that only the roster knows. `due` counts no further than the shards can divide: a lower bound where
    the roster has far more.
    """

    shards: list[dict[str, Any]] = field(default_factory=list)
    due: int = 0
    organizations: int = 0
    not_visible: tuple[str, ...] = ()


def plan_pull(
    warehouse: Warehouse,
    *,
    visible: Sequence[str],
    wanted: Sequence[str],
    force: bool,
    shard_size: int,
    max_shards: int,
    limit: int | None,
    tier: Tier = "regular",
    settings: PullSettings | None = None,
) -> PullPlan:
    """Count what is due and divide it; `limit` bounds the identities.

    `force` makes everything of the chosen organizations due first, in any tier.
    """
    organization_ids = chosen(visible, wanted)
    with warehouse.transaction("put times right") as cursor:
        put_times_right(cursor)
    with warehouse.transaction("plan the pull") as cursor:
        if force:
            tier = "all"
            cursor.execute(sql("roster/force.sql"), {"organization_ids": organization_ids})
        if tier != "active":
            cursor.execute(sql("roster/crm_edited.sql"), {"edited_within_seconds": CRM_EDITS_SECONDS})
            refit(cursor, settings)
        due = _due(cursor, tier, settings or PullSettings(), count_limit=shard_size * max_shards)
    mine = {each: due[each] for each in organization_ids if due.get(each)}
    shards = divide(mine, shard_size=shard_size, max_shards=max_shards, limit=limit)
    return PullPlan(
        shards=[shard | {"tier": tier} for shard in shards],
        due=sum(mine.values()),
        organizations=len(mine),
        not_visible=tuple(sorted(set(due) - set(visible))) if not wanted else (),
    )


def _due(cursor: Cursor, tier: Tier, settings: PullSettings, *, count_limit: int) -> dict[str, int]:
    cursor.execute("select now()")
    values = {
        "due_before": fetch_one(cursor)[0] + timedelta(seconds=settings.ahead_seconds),
        "active_grace_seconds": grace_seconds(tier, settings),
        "count_limit": count_limit,
    }
    cursor.execute(sql("roster/due_active.sql" if tier == "active" else "roster/due.sql"), values)
    return {organization_id: int(count) for organization_id, count in cursor.fetchall()}


def divide(due: Mapping[str, int], *, shard_size: int, max_shards: int, limit: int | None) -> list[dict[str, Any]]:
    """Divide identities into shards, each of which takes any of its organization; under a limit their sizes sum up to it.

    `expected` is what a shard will find to do if the others are as quick: an estimate, where `max_identities` is a bound.
    """
    shards = []
    left = limit
    for organization_id, count in sorted(due.items()):
        mine = count if left is None else min(count, left)
        if mine <= 0:
            continue
        number = max(1, min(max_shards, math.ceil(mine / max(1, shard_size))))
        shards += [
            {
                "organization_id": organization_id,
                "shard": shard,
                "max_identities": None if left is None else (mine + shard) // number,
                "expected": (mine + shard) // number,
            }
            for shard in range(number)
        ]
        left = None if left is None else left - mine
    return shards
