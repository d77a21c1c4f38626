"""A pull is planned: what is due, of which organizations, in how many shards."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syrve.api.errors import ConfigurationError
from syrve.customers.plan import PullPlan, divide, plan_pull
from syrve.warehouse.database import Warehouse

ONE, TWO, UNSEEN = (f"5f4e0005-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))

dues = st.dictionaries(st.sampled_from([ONE, TWO, UNSEEN]), st.integers(min_value=0, max_value=10**6))


@given(
    due=dues,
    shard_size=st.integers(min_value=1, max_value=10_000),
    max_shards=st.integers(min_value=1, max_value=100),
    limit=st.none() | st.integers(min_value=1, max_value=10**6),
)
def test_shards_are_bounded_and_share_out_exactly_the_limit(
    due: dict[str, int], shard_size: int, max_shards: int, limit: int | None
) -> None:
    shards = divide(due, shard_size=shard_size, max_shards=max_shards, limit=limit)

    number = Counter(each["organization_id"] for each in shards)
    assert all(count <= max_shards for count in number.values())
    assert len({(each["organization_id"], each["shard"]) for each in shards}) == len(shards)
    shares = [each["max_identities"] for each in shards]
    if limit is None:
        assert set(shares) <= {None}
        assert set(number) == {each for each, count in due.items() if count}
        assert all(number[each] == min(max_shards, math.ceil(due[each] / shard_size)) for each in number)
    else:
        assert all(share > 0 for share in shares)
        assert sum(shares) == min(limit, sum(due.values()))


def add(warehouse: Warehouse, organization_id: str, count: int, *, due: bool = True) -> None:
    with warehouse.transaction("test") as cursor:
        cursor.execute(
            "insert into sync.roster (organization_id, identity_kind, identity_value, source, due_at)"
            " select %s, 'card', %s || n, 'test', now() + %s * interval '1 day' from generate_series(1, %s) as s (n)",
            (organization_id, str(due), 0 if due else 1, count),
        )


def plan(warehouse: Warehouse, wanted: Sequence[str] = (), *, force: bool = False, **sizes: Any) -> PullPlan:
    options: dict[str, Any] = {"shard_size": 10, "max_shards": 4, "limit": None} | sizes
    return plan_pull(warehouse, visible=[ONE, TWO], wanted=wanted, force=force, **options)


def test_only_what_is_due_is_planned(warehouse: Warehouse) -> None:
    add(warehouse, ONE, 25)
    add(warehouse, ONE, 100, due=False)
    add(warehouse, TWO, 3, due=False)

    found = plan(warehouse)

    assert (found.due, found.organizations, found.not_visible) == (25, 1, ())
    assert [(each["organization_id"], each["shard"]) for each in found.shards] == [(ONE, 0), (ONE, 1), (ONE, 2)]


def test_nothing_due_gives_no_shard(warehouse: Warehouse) -> None:
    assert plan(warehouse) == PullPlan()


def test_force_makes_everything_of_the_chosen_organizations_due(warehouse: Warehouse) -> None:
    add(warehouse, ONE, 5, due=False)
    add(warehouse, TWO, 7, due=False)

    assert plan(warehouse, [ONE], force=True).due == 5
    assert plan(warehouse).due == 5, "the other organization keeps its schedule"


def test_organizations_that_only_the_roster_knows_are_named_and_left_alone(warehouse: Warehouse) -> None:
    add(warehouse, ONE, 1)
    add(warehouse, UNSEEN, 9)

    found = plan(warehouse)

    assert (found.due, found.not_visible) == (1, (UNSEEN,))
    assert {each["organization_id"] for each in found.shards} == {ONE}


def test_chosen_organizations_are_known_whatever_their_case(warehouse: Warehouse) -> None:
    add(warehouse, ONE, 1)
    add(warehouse, TWO, 1)

    assert {each["organization_id"] for each in plan(warehouse, [f" {TWO.upper()} "]).shards} == {TWO}


def test_organization_that_the_login_does_not_see_is_refused_by_name(warehouse: Warehouse) -> None:
    with pytest.raises(ConfigurationError, match=f"does not see the organization '{UNSEEN}'; check the form"):
        plan(warehouse, [ONE, UNSEEN])
