"""A pull that is killed anywhere loses nothing: whoever comes after it does what is left, and no more than that."""

from collections import Counter
from datetime import datetime
from functools import partial
from random import Random
from typing import Any

import pytest

from fixtures.chains import NOT_FOUND, Ending, add_identities, customer, id_of, phone_of, wallet
from fixtures.dying_pulls import BATCH_SIZE, Death, MortalWarehouse, Tally, pull, start, was_killed
from fixtures.waiting import wait_until
from syrve.api.models import Customer, IdentityKind, Lookup
from syrve.customers.claims import PullScope
from syrve.customers.records import customer_record
from syrve.warehouse.database import transaction
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.runs import TaskKey

LANES = 10
ROUNDS = 30
"""Rounds of a lane; each is a seed of its own: `LANES * ROUNDS` pulls are sent to their death, some of them two at once."""
SIZE = 6

MAKE_DUE = (
    "update sync.roster set due_at = now() - interval '2 hours' where organization_id = %(organization)s and due_at < 'infinity'"
    " returning identity_kind, identity_value"
)
ASKED_FOR_NOBODY = """
select count(*)
from sync.roster as covered
where
    organization_id = %(organization)s
    and (
        checked_at is null
        or checked_at < %(since)s
        or due_at = 'infinity'
        and not exists (
            select
            from sync.roster as other
            where
                other.organization_id = covered.organization_id
                and other.customer_id = covered.customer_id
                and other.due_at < 'infinity'
        )
    )
"""
DUE_TIERS = """
select distinct case when active_until is null or due_at < now() - interval '1 hour' then 'regular' else 'active' end
from sync.roster
where organization_id = %(organization)s and due_at <= now()
"""
LIVE_LEASES = "select count(*) from pg_locks where locktype = 'advisory'"
LEASES = """
select count(*) from sync.roster
where organization_id = %(organization)s and lease is not null and due_at < 'infinity'
"""
"""A covered identity is claimed by nobody, so the lease of a killed task on it holds nothing up."""
COUNTS = """
select
    coalesce(sum(requested), 0), coalesce(sum(found + not_found), 0), coalesce(sum(changed), 0)
from sync.run
where starts_with(run_id, %(run)s)
"""
PROFILES = """
select customer_id::text, name, is_deleted from syrve.customer_history where organization_id = %(organization)s order by valid_from
"""
BALANCES = """
select customer_id::text, balance::text from syrve.wallet_balance_history where organization_id = %(organization)s order by valid_from
"""
SPANS = """
select count(*)
from (
    select valid_to, lead(valid_from) over (partition by customer_id order by valid_from) as following
    from syrve.customer_history
    where organization_id = %(organization)s
) as spans
where valid_to is distinct from following
"""


class Population:
    """What the service knows: it changes between rounds only, so that what a round must give is known beforehand."""

    def __init__(self, lane: int) -> None:
        self.organization_id = id_of(lane, 900)
        self.names = dict.fromkeys(range(SIZE), 0)
        self.balances = dict.fromkeys(range(SIZE), 0)
        self.owners = {number: number for number in range(SIZE)}
        self.gone: set[int] = set()
        self.changed: set[int] = set(range(SIZE))
        self.moves = 0

    @property
    def lookups(self) -> list[Lookup]:
        """All have a phone, every second an id and every third a card besides."""
        keys: list[tuple[IdentityKind, str]] = [("phone", phone_of(number)) for number in range(SIZE)]
        keys += [("id", id_of(number)) for number in range(0, SIZE, 2)]
        keys += [("card", str(number)) for number in range(0, SIZE, 3)]
        return [Lookup(self.organization_id, kind, value) for kind, value in keys]

    def customer(self, number: int) -> Customer:
        return customer(number, name=f"v{self.names[number]}", wallets=(wallet(1, str(self.balances[number])),))

    def answer(self, lookup: Lookup) -> Ending:
        number = int(lookup.value[-7:])
        if lookup.kind == "phone":
            number = self.owners[number]
        return NOT_FOUND if number in self.gone else self.customer(number)

    def go_on(self, rng: Random) -> None:
        self.changed, self.moves = set(), 0
        for number in range(SIZE):
            match rng.choice(["nothing", "nothing", "name", "balance", "both", "gone or back", "phone"]):
                case "name" | "balance" | "both" as what if number not in self.gone:
                    self.names[number] += what != "balance"
                    self.balances[number] += what != "name"
                    self.changed.add(number)
                case "gone or back":
                    self.gone ^= {number}
                    self.changed.add(number)
                    self.moves += 3
                case "phone":
                    self.owners[number] = rng.randrange(SIZE)
                    self.moves += 1


class Lane:
    """Rounds of pulls over one population, one after another on one warehouse, and what must be true after each."""

    def __init__(self, warehouse: MortalWarehouse, lane: int) -> None:
        self.warehouse = warehouse
        self.lane = lane
        self.population = Population(lane)
        self.profiles: dict[str, list[tuple[str, bool]]] = {}
        self.balances: dict[str, list[str]] = {}
        self.kills = 0
        add_identities(warehouse, self.population.lookups)

    def round(self, number: int) -> None:
        rng = Random(f"{self.lane}-{number}")
        if number:
            self.population.go_on(rng)
        with self.warehouse.connect() as self.connection:
            (since,) = self.rows("select now()")[0]
            due = {Lookup(self.population.organization_id, *row) for row in self.rows(MAKE_DUE)}
            roster = self.roster()
        everybody = [Lookup(self.population.organization_id, "id", id_of(each)) for each in range(SIZE)]
        tally = Tally(list(dict.fromkeys(roster + everybody)), processes=3)
        kills = self.die(number, rng, tally)
        self.kills += kills
        with self.warehouse.connect() as self.connection:
            wait_until(lambda: self.rows(LIVE_LEASES) == [(0,)])
            while tiers := self.rows(DUE_TIERS):
                for (tier,) in tiers:
                    self.pull(number, 2, tally, Death(None), tier)
            self.check_look_ups(tally.counts(), due, since, kills)
            self.check_counts(number, len(due))
            self.check_mirror()

    def die(self, number: int, rng: Random, tally: Tally) -> int:
        """Send one or two pulls to their death and tell how many met it."""
        deaths = [Death.drawn(rng)]
        if rng.random() < 0.3:
            deaths.append(rng.choice([Death(None), Death.drawn(rng)]))
        children = []
        for process, death in enumerate(deaths):
            tier = rng.choice(["regular", "regular", "regular", "active"])
            children.append(start(partial(self.pull, number, process, tally, death, tier)))
        return sum([was_killed(each) for each in children])

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        with transaction(self.connection, "look") as cursor:
            cursor.execute(query, {"organization": self.population.organization_id} | values)
            return cursor.fetchall()

    def pull(self, number: int, process: int, tally: Tally, death: Death, tier: Any) -> int:
        population = self.population
        key = TaskKey(f"lane {self.lane} round {number}:", "pull", process)
        scope = PullScope(population.organization_id, tier=tier)
        return pull(
            self.warehouse, population.answer, scope, key, lambda each: tally.add(each, process), death
        ).requested

    def roster(self) -> list[Lookup]:
        query = "select identity_kind, identity_value from sync.roster where organization_id = %(organization)s"
        return [Lookup(self.population.organization_id, *row) for row in self.rows(query)]

    def check_look_ups(self, asked: Counter[Lookup], due: set[Lookup], since: datetime, kills: int) -> None:
        assert self.rows(ASKED_FOR_NOBODY, since=since) == [(0,)], (
            "each identity is looked up, or another vouches for it"
        )
        repeated = asked.total() - len(due)
        assert repeated <= kills * BATCH_SIZE + self.population.moves, "more than one batch a kill was looked up again"
        assert self.rows(LEASES) == [(0,)]

    def check_counts(self, number: int, due: int) -> None:
        requested, ended, changed = self.rows(COUNTS, run=f"lane {self.lane} round {number}:")[0]
        assert requested == ended
        assert len(self.known()) <= requested <= due + self.population.moves, (
            "each look-up is counted once, with its data"
        )
        assert changed == len(self.population.changed & self.known()), "each change is written and counted once"

    def known(self) -> set[int]:
        """Everybody who was ever seen."""
        query = "select customer_id::text from syrve.customer where organization_id = %(organization)s"
        return {int(key[-7:]) for (key,) in self.rows(query)}

    def check_mirror(self) -> None:
        population = self.population
        query = (
            "select customer_id::text, is_deleted, digest from syrve.customer where organization_id = %(organization)s"
        )
        for key, is_deleted, digest in self.rows(query):
            number = int(key[-7:])
            mine = population.customer(number)
            if is_deleted:
                assert number in population.gone
            else:
                expected = customer_record(population.organization_id, mine, fetched_at=None, region="RU")  # type: ignore[arg-type]
                assert bytes(digest) == expected.digest
            _add(self.profiles.setdefault(key, []), (mine.name, is_deleted))
            _add(self.balances.setdefault(key, []), str(mine.wallets[0].balance))

    def check_history(self) -> None:
        profiles: dict[str, list[Any]] = {}
        for key, *profile in self.rows(PROFILES):
            profiles.setdefault(key, []).append(tuple(profile))
        balances: dict[str, list[Any]] = {}
        for key, balance in self.rows(BALANCES):
            balances.setdefault(key, []).append(balance)
        assert profiles == self.profiles
        assert balances == self.balances
        assert self.rows(SPANS) == [(0,)], "history has a gap"


def _add(versions: list[Any], version: Any) -> None:
    if versions[-1:] != [version]:
        versions.append(version)


@pytest.mark.parametrize("number", range(LANES))
def test_killed_pull_loses_nothing_and_repeats_at_most_one_batch(emptied_warehouse_dsn: str, number: int) -> None:
    lane = Lane(MortalWarehouse(url_from_text(emptied_warehouse_dsn)), number)
    for each in range(ROUNDS):
        try:
            lane.round(each)
        except BaseException:
            print(f"failing seed: lane {number}, round {each}")
            raise
    with lane.warehouse.connect() as lane.connection:
        lane.check_history()
    assert lane.kills > ROUNDS / 2, "most of them do die"
