"""Plans a pull: which organizations, how much is due, how many shards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from syrve.organizations import chosen
from syrve.warehouse.database import Warehouse, fetch_one
from syrve.warehouse.sql_files import sql


@dataclass(frozen=True, slots=True)
class PullPlan:
    """`shards` are `{"organization_id", "shard", "max_identities"}`; `not_visible` are organizations that only the roster knows."""

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
) -> PullPlan:
    """Count what is due and divide it; `force` makes everything of the chosen organizations due first, `limit` bounds the identities."""
    organization_ids = chosen(visible, wanted)
    with warehouse.transaction("plan the pull") as cursor:
        if force:
            cursor.execute(sql("roster/force.sql"), {"organization_ids": organization_ids})
        cursor.execute("select now()")
        cursor.execute(sql("roster/due.sql"), {"due_before": fetch_one(cursor)[0]})
        due = {organization_id: int(count) for organization_id, count in cursor.fetchall()}
    mine = {each: due[each] for each in organization_ids if due.get(each)}
    return PullPlan(
        shards=divide(mine, shard_size=shard_size, max_shards=max_shards, limit=limit),
        due=sum(mine.values()),
        organizations=len(mine),
        not_visible=tuple(sorted(set(due) - set(visible))) if not wanted else (),
    )


def divide(due: dict[str, int], *, shard_size: int, max_shards: int, limit: int | None) -> list[dict[str, Any]]:
    """Divide due identities into shards, each of which takes any due ones of its organization; under a limit their sizes sum up to it."""
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
            }
            for shard in range(number)
        ]
        left = None if left is None else left - mine
    return shards
