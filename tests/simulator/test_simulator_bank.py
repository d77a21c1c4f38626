"""Money in the long run: whatever is asked for in whatever order, nothing is lost, nothing is made, everything is told."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syrve_simulator.bank import Bank, HoldIsOverError, MoneyError
from syrve_simulator.behaviour import Behaviour
from syrve_simulator.clock import Clock
from syrve_simulator.jsontext import decode
from syrve_simulator.ledger import Account, Ledger
from syrve_simulator.population import Population
from syrve_simulator.wire import DIALECTS
from syrve_simulator.world import World

sums = st.decimals(min_value="0.01", max_value="500", places=2)
steps = st.one_of(
    st.tuples(st.just("top_up"), sums),
    st.tuples(st.just("charge_off"), sums),
    st.tuples(st.just("hold"), sums),
    st.tuples(st.just("cancel"), st.integers(0, 5)),
    st.tuples(st.just("consume"), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.integers(1, 20)),
)


class Till:
    """A bank with one customer who has one wallet with 100, and a clock that is turned by hand."""

    def __init__(self, **switches: Any) -> None:
        self.now = 0.0
        population = Population(seed=5, customers=1, organizations=1)
        self.world = World(population, DIALECTS["cloud"].encode_customer)
        self.ledger = Ledger(Clock(lambda: self.now))
        self.behaviour = Behaviour(**switches)
        self.bank = Bank(self.world, self.ledger, self.behaviour)
        self.world.as_seen = self.bank.as_seen
        (self.organization,) = population.organizations
        customer = self.world.customer(self.organization, 0).copy()
        customer.wallets = (type(customer.wallets[0])("wallet", "Bonus", 1, Decimal(100)),)
        self.world.put(self.organization, 0, customer)
        self.hold_ids: list[str] = []

    def do(self, what: Any, value: Any) -> None:
        """Carry a step out; what is refused changes nothing."""
        self.bank.settle()
        place = self.organization, 0, "wallet"
        try:
            if what == "wait":
                self.now += value
                self.bank.settle()
            elif what == "hold":
                self.hold_ids.append(self.bank.hold(*place, value, comment=None, hold_id=None))
            elif what in {"cancel", "consume"}:
                if value < len(self.hold_ids):
                    getattr(self.bank, what)(self.organization, self.hold_ids[value])
            else:
                getattr(self.bank, what)(*place, value, None)
        except MoneyError:
            return

    @property
    def owned(self) -> Any:
        return self.world.customer(self.organization, 0).wallets[0].balance

    @property
    def shown(self) -> Any:
        return Decimal(str(decode(self.world.answer(self.organization, 0))["walletBalances"][0]["balance"]))

    @property
    def held(self) -> Any:
        return self.ledger.held(Account(0, 0, "wallet"))


@given(
    story=st.lists(steps, max_size=25),
    shows=st.booleans(),
    lifetime=st.none() | st.integers(1, 30),
    second_cancel=st.sampled_from(["error", "ok"]),
)
@settings(max_examples=150, deadline=None)
def test_money_is_neither_lost_nor_made_and_the_transactions_tell_it_all(
    story: Any, shows: Any, lifetime: Any, second_cancel: Any
) -> None:
    till = Till(balance_shows_held_money=shows, hold_lifetime_seconds=lifetime, second_cancel=second_cancel)
    for what, value in story:
        till.do(what, value)

        open_sum = sum((one.sum for one in till.ledger.holds() if one.state == "open"), Decimal(0))
        assert till.held == open_sum <= till.owned
        assert till.shown == (till.owned if shows else till.owned - open_sum)

    told = till.ledger.transactions()
    moved = sum((one.sum for one in told if one.type_name not in {"HoldMoney", "CancelHoldMoney"}), Decimal(0))
    assert till.owned == 100 + moved
    assert [one.revision for one in told] == list(range(1, len(told) + 1))
    balance = Decimal(100)
    for one in told:
        assert one.balance_before == balance
        balance = one.balance_after
    assert balance == till.shown
    ended = [one for one in till.ledger.holds() if one.state != "open"]
    assert sum(one.type_name == "HoldMoney" for one in told) == len(list(till.ledger.holds()))
    assert sum(one.type_name in {"CancelHoldMoney", "PayFromWallet"} for one in told) == len(ended)


def test_hold_expires_at_its_time_and_not_before() -> None:
    till = Till(hold_lifetime_seconds=10)
    till.do("hold", Decimal(60))

    till.do("wait", 9)
    before = till.held
    till.do("wait", 1)

    assert (before, till.held, till.shown) == (60, 0, 100)


def test_lifetime_is_that_of_the_moment_when_the_hold_was_made() -> None:
    till = Till(hold_lifetime_seconds=10)
    till.do("hold", Decimal(1))
    till.behaviour.become(till.behaviour.changed({"hold_lifetime_seconds": None}))
    till.do("hold", Decimal(2))

    till.do("wait", 1000)

    assert [one.state for one in till.ledger.holds()] == ["expired", "open"]


def test_hold_of_a_removed_customer_can_still_be_ended_and_moves_nothing() -> None:
    till = Till()
    till.do("hold", Decimal(60))
    till.world.remove(till.organization, 0)

    till.bank.cancel(till.organization, till.hold_ids[0])

    assert [one.state for one in till.ledger.holds()] == ["cancelled"]
    assert len(till.ledger.transactions()) == 1
    with pytest.raises(HoldIsOverError):
        till.bank.cancel(till.organization, till.hold_ids[0])
