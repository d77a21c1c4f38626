"""Random changes at Syrve, pulls, wrong clocks, failures and a second writer: in the end the mirror is what Syrve has, and nobody is lost.

Customers are known under phones, ids and cards at once; phones are swapped and cards change hands while look-ups are under way.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from fixtures.chains import (
    FAILED,
    NOT_FOUND,
    ORGANIZATION,
    REJECTED,
    Chain,
    Ending,
    ScriptedBulk,
    add_identities,
    by_card,
    by_id,
    by_phone,
    card,
    customer,
    id_of,
    phone_of,
    wallet,
)
from syrve.api.errors import SyrveError
from syrve.api.models import Customer, Lookup
from syrve.customers.claims import PullScope
from syrve.customers.pull import CustomerPull
from syrve.customers.pull_settings import PullSettings
from syrve.warehouse.limits import BreakerSettings
from syrve.warehouse.runs import TaskKey
from syrve.warehouse.sql_files import sql

PEOPLE, PHONES, CARDS = 4, 6, 3
AT_ONCE = 2
"""Customers whom one run may find gone without a question."""

SETTINGS = PullSettings(
    batch_size=4, rounds=1, failed_tolerance_share=1.0, failed_seconds=0.001, breaker=BreakerSettings(0.0, AT_ONCE)
)
PERSONS, CARD_NUMBERS = st.integers(0, PEOPLE - 1), st.integers(0, CARDS - 1)
NOBODY_LOOKS = """
select count(*)
from sync.roster as covered
where
    covered.due_at = 'infinity'
    and not exists (
        select from sync.roster as other
        where other.organization_id = covered.organization_id and other.customer_id = covered.customer_id and other.due_at < 'infinity'
    )
"""
LOOKED_UP_TWICE = """
select customer.customer_id
from syrve.customer as customer
inner join sync.roster as known using (organization_id, customer_id)
where
    not customer.is_deleted
    and known.outcome = 'found'
    and known.due_at < 'infinity'
    and (
        known.identity_value in (customer.phone, customer.customer_id::text)
        or exists (select from syrve.card as card where card.customer_id = customer.customer_id and card.track = known.identity_value)
    )
group by customer.customer_id
having count(*) > 1
"""


@dataclass
class Service:
    """What Syrve knows; a person may be gone, or be answered as deleted."""

    names: list[int] = field(default_factory=lambda: [0] * PEOPLE)
    phones: list[int] = field(default_factory=lambda: list(range(PEOPLE)))
    cards: list[int | None] = field(default_factory=lambda: [0, 1, None])
    states: list[str] = field(default_factory=lambda: ["there"] * PEOPLE)
    finds_nobody: bool = False
    broken: dict[str, Ending] = field(default_factory=dict)

    def answer(self, lookup: Lookup) -> Ending:
        if lookup.kind in self.broken:
            return self.broken[lookup.kind]
        if self.finds_nobody:
            return NOT_FOUND
        for person in range(PEOPLE):
            if self.states[person] != "gone" and lookup.value in self._keys(person):
                return self.customer(person)
        return NOT_FOUND

    def customer(self, person: int) -> Customer:
        return customer(
            person,
            name=f"v{self.names[person]}",
            phone=phone_of(self.phones[person]),
            is_deleted=self.states[person] == "deleted",
            wallets=(wallet(1, str(self.names[person])),),
            cards=tuple(card(number) for number, owner in enumerate(self.cards) if owner == person),
        )

    def _keys(self, person: int) -> set[str]:
        mine = {f"track{number}" for number, owner in enumerate(self.cards) if owner == person}
        # A deleted customer is found by id alone, as at Syrve: their phone and cards may be another's by now.
        return {id_of(person)} | (mine | {phone_of(self.phones[person])} if self.states[person] == "there" else set())


class Pulls(RuleBasedStateMachine):
    """`meanwhile` is what a second writer does when the next answer has been given."""

    chain: Chain

    @initialize()
    def meet(self) -> None:
        self.chain.execute(
            "truncate sync.roster, sync.held_back, sync.breaker, sync.breaker_count, sync.reject, syrve.customer cascade"
        )
        self.service = Service()
        self.meanwhile: list[Callable[[], None]] = []
        self.runs = 0
        everybody = [by_phone(each) for each in range(PEOPLE)] + [by_id(each) for each in range(PEOPLE)]
        add_identities(self.chain.warehouse, everybody + [by_card(f"track{each}") for each in range(CARDS)])
        self.pull(0)

    @rule(person=PERSONS)
    def guest_changes(self, person: int) -> None:
        self.service.names[person] += 1

    @rule(one=PERSONS, other=PERSONS)
    def two_guests_swap_phones(self, one: int, other: int) -> None:
        phones = self.service.phones
        phones[one], phones[other] = phones[other], phones[one]

    @rule(person=PERSONS, phone=st.integers(0, PHONES - 1))
    def guest_takes_a_phone_that_is_free(self, person: int, phone: int) -> None:
        if phone not in self.service.phones:
            self.service.phones[person] = phone

    @rule(number=CARD_NUMBERS, owner=st.one_of(st.none(), PERSONS))
    def card_changes_hands(self, number: int, owner: int | None) -> None:
        self.service.cards[number] = owner

    @rule(person=PERSONS, state=st.sampled_from(["there", "deleted", "gone"]))
    def guest_goes_or_comes_back(self, person: int, state: str) -> None:
        self.service.states[person] = state

    @rule(finds_nobody=st.booleans())
    def service_finds_nobody(self, finds_nobody: bool) -> None:
        self.service.finds_nobody = finds_nobody

    @rule(
        broken=st.dictionaries(
            st.sampled_from(["phone", "id", "card"]), st.sampled_from([FAILED, REJECTED]), max_size=2
        )
    )
    def look_ups_by_a_kind_of_identity_fail(self, broken: dict[str, Ending]) -> None:
        self.service.broken = broken

    @rule(person=PERSONS, other=PERSONS)
    def second_writer_writes_during_the_next_pull(self, person: int, other: int) -> None:
        self.meanwhile += [lambda: self.guest_changes(person), lambda: self.two_guests_swap_phones(person, other)]

    @rule(seconds=st.sampled_from([0, 0, 0, -3600, -5, 5, 86400]))
    def pull(self, seconds: int) -> None:
        """Pull what is due, by a worker whose clock is off."""
        before, let_through = self._deleted(), self._let_through()
        bulk = ScriptedBulk(self._answer, lambda: datetime.now(UTC) + timedelta(seconds=seconds))
        self.runs += 1
        key = TaskKey(f"run-{self.runs}", "pull")
        with suppress(SyrveError):
            CustomerPull(self.chain.warehouse, bulk, key=key, region="RU", settings=SETTINGS).run(
                PullScope(ORGANIZATION, tier="all")
            )
        assert len(self._deleted() - before - let_through) <= AT_ONCE, "one run deletes no more than it may"

    @rule(share=st.floats(0.2, 1))
    def some_are_due(self, share: float) -> None:
        self.chain.execute("update sync.roster set due_at = now() where due_at < 'infinity' and random() < %s", share)

    @rule()
    def everybody_is_due(self) -> None:
        with self.chain.warehouse.transaction("test") as cursor:
            cursor.execute(sql("roster/force.sql"), {"organization_ids": [ORGANIZATION]})

    @rule(kind=st.sampled_from(["phone", "card"]))
    def operations_delete_identities(self, kind: str) -> None:
        """Those of customers who stay on the roster by id."""
        self.chain.execute(
            "delete from sync.roster as known where identity_kind = %s and exists (select from sync.roster as other "
            "where other.identity_kind = 'id' and other.identity_value = known.customer_id::text)",
            kind,
        )

    @rule(decision=st.sampled_from(["let_through", "drop_held_back"]))
    def person_decides(self, decision: str) -> None:
        for (number,) in self.chain.rows("select breaker_id from sync.breaker where decision is null"):
            self.chain.value(f"select sync.{decision}(%s)", number)

    @invariant()
    def nobody_is_left_to_no_look_up(self) -> None:
        assert self.chain.value(NOBODY_LOOKS) == 0
        assert self.chain.value("select count(*) from sync.roster where lease is not null") == 0

    @invariant()
    def no_time_lies_ahead(self) -> None:
        query = "select count(*) from syrve.customer where fetched_at > clock_timestamp()"
        assert self.chain.value(query) == 0

    def teardown(self) -> None:
        if not hasattr(self, "service"):
            return
        self.service.finds_nobody, self.service.broken, self.meanwhile = False, {}, []
        for _ in range(8):  # a day loses two, until a decision begins it anew
            self.everybody_is_due()
            self.pull(0)
            self.person_decides("let_through")
        expected = {id_of(each): self._expected(each) for each in range(PEOPLE)}
        known = {
            row[0]: row[1:]
            for row in self.chain.rows(
                "select customer_id::text, is_deleted, name, phone, (select sum(balance) from syrve.wallet_balance as wallet "
                "where wallet.customer_id = customer.customer_id)::int, array(select track from syrve.card as card "
                "where card.customer_id = customer.customer_id order by 1) from syrve.customer as customer"
            )
        }
        for customer_id, row in known.items():
            wanted = expected[customer_id]
            assert row[0] == wanted[0], "gone or not as at Syrve"
            assert row[0] or row == wanted, "what Syrve has"
        assert self.chain.rows("select * from sync.held_back") == []
        assert self.chain.rows(LOOKED_UP_TWICE) == []

    def _let_through(self) -> set[str]:
        """Customers whose deletion a person has let through; the run that carries it out takes them off this list."""
        query = "select customer_id::text from sync.held_back where let_through_at is not null"
        return {each for (each,) in self.chain.rows(query)}

    def _deleted(self) -> set[str]:
        return {each for (each,) in self.chain.rows("select customer_id::text from syrve.customer where is_deleted")}

    def _answer(self, lookup: Lookup) -> Ending:
        ending = self.service.answer(lookup)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return ending

    def _expected(self, person: int) -> tuple[Any, ...]:
        found = self.service.customer(person)
        is_gone = self.service.states[person] != "there"
        tracks = sorted(each.track or "" for each in found.cards)
        return is_gone, found.name, found.phone, int(found.wallets[0].balance), tracks


@pytest.mark.timeout(280)
def test_mirror_converges_and_nobody_is_lost(chain: Chain) -> None:
    machine = type("Machine", (Pulls,), {"chain": chain})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=6,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # each step pulls: shrinking takes longer than a test may
        ),
    )
