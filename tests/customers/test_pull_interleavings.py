"""Whatever the order in which answers arrive: the mirror is the newest answer, and the history replays to it.

`fixtures.answer_model` says what that means, in plain Python; here its word is compared with what a real Postgres has.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fixtures.answer_model import TABLES, AnswerModel, History
from fixtures.chains import (
    FAILED,
    NOT_FOUND,
    REJECTED,
    Ending,
    add_identities,
    blocked_by_others,
    by_card,
    by_id,
    by_phone,
    card,
    category,
    customer,
    merge,
    result,
    rows,
    take_leases,
    wallet,
)
from fixtures.waiting import PATIENCE_SECONDS, wait_until
from syrve.api.bulk import LookupResult
from syrve.api.decode import parse_json
from syrve.api.models import Lookup
from syrve.values import storable_json
from syrve.warehouse.database import Connection, Warehouse, transaction
from syrve.warehouse.staging import prepare_staging

YEAR_ENDS = datetime(2026, 12, 31, 23, 59, 40, tzinfo=UTC)
"""Answers come some seconds before and after it, so versions land in two partitions."""
NUMBERS = range(2)
PATIENT = settings(
    deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

extras = st.sampled_from(
    [
        {},
        {"n": 1},
        {"n": Decimal("1.0")},
        {"n": Decimal("0.1")},
        {"n": Decimal("1e-30"), "m": -(10**29)},
        {"text": "Ёж\\ \t\n\"'\u2028 \U0001f99b", "\\N": None},
        storable_json({"a\x00b": "\ud800", "deep": [{"x": [True, None, {}]}], "long": 10**40}),
    ]
)
PLAIN = {"name": "Ян", "extra": {}, "wallets": (wallet(1, "10"),), "cards": (card(1),), "categories": ()}
contents = st.sampled_from([PLAIN, PLAIN, PLAIN | {"wallets": (wallet(1, "9"),)}]) | st.fixed_dictionaries(
    {
        "name": st.sampled_from(["Ян", "Ия", None]),
        "extra": extras,
        "wallets": st.sampled_from(
            [(), (wallet(1, "10"),), (wallet(1, "10.00"),), (wallet(1, "7"), wallet(2, "-0.5"))]
        ),
        "cards": st.sampled_from([(), (card(1),), (card(1), card(2))]),
        "categories": st.sampled_from([(), (category(1),), (category(1, "all"), category(2))]),
    }
)
"""Mostly one of two: answers that confirm, and a balance that goes and comes back, are where it gets difficult."""
identities = st.sampled_from(
    [kind(number) for number in NUMBERS for kind in (by_phone, by_id, lambda n: by_card(str(n)))]
)
misses = st.sampled_from([NOT_FOUND, NOT_FOUND, FAILED, REJECTED])
own = st.sampled_from(["own", "own", "own", "other"])


@dataclass(frozen=True)
class Said:
    """An answer to come: under whom, how much later than the one before it there, and what."""

    lookup: Lookup
    later_seconds: int
    miss: Ending | None
    whose: str
    content: dict[str, Any]

    def ending(self) -> Ending:
        """The customer of the identity, or for a phone or card (they move) perhaps another; or the miss."""
        if self.miss is not None:
            return self.miss
        number = int(self.lookup.value[-1])
        if self.whose == "other" and self.lookup.kind != "id":
            number = (number + 1) % len(NUMBERS)
        return customer(number, **self.content)


said = st.builds(
    Said,
    lookup=identities,
    later_seconds=st.integers(min_value=1, max_value=12),
    miss=st.none() | st.none() | misses,
    whose=own,
    content=contents,
)
batches = st.lists(said, min_size=1, max_size=5, unique_by=lambda each: each.lookup)
steps = st.tuples(st.sampled_from(["commit", "commit", "crash", "repeat", "both", "first crashes"]), batches, batches)


TOLD_AT = """
select customer_id::text, max(told_at)
from (
    select customer_id, fetched_at as told_at from syrve.customer where organization_id = %(organization)s
    union all
    select customer_id, confirmed_at from sync.roster where organization_id = %(organization)s and customer_id is not null
) as told
group by 1
"""


@dataclass
class Mergers:
    """A warehouse, two connections that merge, and an organization of the example's own."""

    warehouse: Warehouse
    connections: Sequence[Connection]
    organization_id: str = field(default_factory=lambda: str(uuid4()))
    clocks: dict[Lookup, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = [kind(number) for number in NUMBERS for kind in (by_phone, by_id, lambda n: by_card(str(n)))]
        add_identities(self.warehouse, [self.here(each) for each in known])

    def here(self, lookup: Lookup) -> Lookup:
        return replace(lookup, organization_id=self.organization_id)

    def answers(self, batch: Sequence[Said]) -> list[LookupResult]:
        """Make the answers of a batch: under one identity each is later than the one before, as leases see to."""
        made = []
        for each in batch:
            at = self.clocks.get(each.lookup, YEAR_ENDS) + timedelta(seconds=each.later_seconds)
            self.clocks[each.lookup] = at
            made.append(result(self.here(each.lookup), each.ending(), at))
        return made

    def merge(self, batch: Sequence[LookupResult], number: int = 0) -> None:
        """Claim and merge a batch on a connection, and leave its transaction open."""
        connection = self.connections[number]
        take_leases(connection, [each.lookup for each in batch], 1000 + number)
        with connection.cursor() as cursor:
            counts = merge(cursor, batch, number=1000 + number)
        found = {each.customer.customer_id for each in batch if each.customer}
        assert counts.requested == len(batch)
        assert len(found) <= counts.changed + counts.unchanged
        assert counts.unchanged <= len(found)

    def history(self, name: str) -> History:
        columns, order = VIEWS[name]
        found: History = {}
        query = f"select {columns}, valid_from, valid_to from syrve.{name}_history where organization_id = %s order by {order}"
        for row in rows(self.warehouse, query, self.organization_id):
            count = 1 if name == "customer" else 2
            key, content, span = row[:count], row[count:-2], row[-2:]
            if name == "customer":
                content = (*content[:-1], parse_json(content[-1].encode()))
            found.setdefault(key, []).append((content, *span))
        return found

    def digests(self) -> dict[str, bytes | None]:
        query = "select customer_id::text, digest from syrve.customer where organization_id = %s"
        return {
            key: None if digest is None else bytes(digest)
            for key, digest in rows(self.warehouse, query, self.organization_id)
        }


VIEWS = {
    "customer": ("customer_id::text, phone_raw, name, is_deleted, extra::text", "1, valid_from"),
    "wallet_balance": ("customer_id::text, wallet_id::text, name, type, balance", "1, 2, valid_from"),
    "card": ("customer_id::text, card_id::text, track, number, card_valid_to", "1, 2, valid_from"),
    "customer_category": (
        "customer_id::text, category_id::text, name, is_active, is_default_for_new_guests",
        "1, 2, valid_from",
    ),
}


@pytest.fixture
def new_mergers(warehouse: Warehouse) -> Iterator[Callable[[], Mergers]]:
    with ExitStack() as stack:
        connections = [stack.enter_context(warehouse.connect()) for _ in range(3)]
        for each in connections:
            prepare_staging(each)
        yield lambda: Mergers(warehouse, connections)


def merge_both(mergers: Mergers, first: list[LookupResult], second: list[LookupResult], *, first_crashes: bool) -> None:
    """Merge a batch while another one is open, which then commits or is lost."""
    one, two = mergers.connections[:2]
    take_leases(two, [each.lookup for each in second], 1001)
    mergers.merge(first, 0)

    def follow() -> None:
        with transaction(two, "merge") as cursor:
            merge(cursor, second, number=1001)

    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(follow)
        wait_until(lambda: following.done() or blocked_by_others(mergers.warehouse, two))
        if first_crashes:
            one.rollback()
        else:
            one.commit()
        following.result(PATIENCE_SECONDS)


def apart(first: list[LookupResult], second: list[LookupResult]) -> list[LookupResult]:
    """Leave out of the second batch what the first has leased."""
    leased = {each.lookup for each in first}
    return [each for each in second if each.lookup not in leased]


@PATIENT
@given(schedule=st.lists(steps, min_size=1, max_size=7))
def test_mirror_is_the_newest_answer_and_history_replays_to_it(
    new_mergers: Callable[[], Mergers], schedule: list[Any]
) -> None:
    mergers, model = new_mergers(), AnswerModel()
    for kind, batch, other in schedule:
        answers = mergers.answers(batch)
        if kind in ("both", "first crashes"):
            following = apart(answers, mergers.answers(other))
            merge_both(mergers, answers, following, first_crashes=kind == "first crashes")
            if kind == "both":
                model.play(answers)
            model.play(following)
            continue
        mergers.merge(answers)
        if kind == "crash":
            mergers.connections[0].rollback()
            continue
        mergers.connections[0].commit()
        model.play(answers)
        if kind == "repeat":
            mergers.merge(answers, 1)
            mergers.connections[1].commit()
            model.play(answers)

    for name in TABLES:
        assert mergers.history(name) == model.history[name]
    assert mergers.digests() == {key: known.digest for key, known in model.known.items()}
    told = dict(rows(mergers.warehouse, TOLD_AT, organization=mergers.organization_id))
    assert told == {key: known.told_at for key, known in model.known.items()}
    leased = "select count(*) from sync.roster where organization_id = %s and lease is not null"
    if not any(kind in ("crash", "first crashes") for kind, *_ in schedule):
        assert rows(mergers.warehouse, leased, mergers.organization_id) == [(0,)]


@settings(PATIENT, max_examples=40, phases=[Phase.generate])  # no race can be played twice, so nothing can be shrunk
@given(lanes=st.tuples(*[st.lists(batches, min_size=1, max_size=4)] * 3), are_known=st.booleans())
def test_three_at_once_never_fail_and_end_with_the_newest_answer(
    new_mergers: Callable[[], Mergers], lanes: Sequence[list[list[Said]]], are_known: bool
) -> None:
    """Three connections merge as fast as they can; each has identities of its own, all share the customers."""
    mergers, newest = new_mergers(), AnswerModel()
    every: list[LookupResult] = []
    if are_known:
        first = [result(mergers.here(by_id(number)), customer(number), YEAR_ENDS) for number in NUMBERS]
        mergers.merge(first)
        mergers.connections[0].commit()
        every += first
    tick = timedelta(microseconds=1)
    work: list[list[list[LookupResult]]] = []
    for lane, kind in zip(lanes, ("phone", "id", "card"), strict=True):
        mine = []
        for batch in lane:
            usable = [each for each in batch if each.lookup.kind == kind and (are_known or each.miss is not NOT_FOUND)]
            answers = [
                replace(each, received_at=each.received_at + tick * len(every)) for each in mergers.answers(usable)
            ]
            every += answers
            mine.append(answers)
        work.append(mine)
    start = threading.Barrier(3)

    def run(number: int) -> None:
        start.wait(PATIENCE_SECONDS)
        for batch in work[number]:
            mergers.merge(batch, number)
            mergers.connections[number].commit()

    with ThreadPoolExecutor(3) as pool:
        for running in [pool.submit(run, number) for number in range(3)]:
            running.result(PATIENCE_SECONDS)

    for each in sorted(every, key=lambda answer: answer.received_at):
        newest.play([each])
    assert mergers.digests() == {key: known.digest for key, known in newest.known.items()}
    for name in TABLES:
        assert current(mergers.history(name), newest) == current(newest.history[name], newest)
    moments = {each.received_at for each in every}
    for versions in mergers.history("customer").values():
        assert all(before[2] == after[1] for before, after in pairwise(versions)), "no gap"
        assert {version[1] for version in versions} <= moments


def current(history: History, newest: AnswerModel) -> dict[tuple[str, ...], Any]:
    """The current versions; of who is gone only that they are, for an answer that says so says nothing else."""
    gone = {key for key, known in newest.known.items() if known.customer.is_deleted}
    return {
        key: "gone" if key[0] in gone else versions[-1][0]
        for key, versions in history.items()
        if versions[-1][2] is None and (len(key) == 1 or key[0] not in gone)
    }
