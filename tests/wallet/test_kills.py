"""Drawn sequences of paying, dying, resuming, releasing and settling: a guest pays for an order once or not at all."""

import signal
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from fixtures.releases import Releasing
from fixtures.wallets import Purse, in_another_process, killed_at
from syrve.api.errors import SyrveError
from syrve.wallet.errors import WalletError
from syrve.wallet.money_settings import POLICIES, PaymentPolicy
from syrve.wallet.payment import Payment, PaymentRequest
from syrve.wallet.settle_unknown import settle_unknown
from syrve.warehouse.errors import WarehouseError
from syrve_simulator.control import SimulatorControl

CHARGE, POS = POLICIES
PRICE = Decimal("30.00")
STEPS = [
    "payment begun",
    "order opened",
    "order completed",
    *(
        f"{kind} {each}"
        for kind in ("hold", "chargeoff", "cancel_hold")
        for each in ("planned", "sent", "called", "recorded")
    ),
]
DEATHS = st.sampled_from(STEPS).map(lambda step: ("dies at", step))
ACTS = st.sampled_from([("releases", ""), ("settles", "")]) | DEATHS
NUMBERS = count()


class Pays:
    """One payment of a new order, and what others do while it is paid."""

    def __init__(self, purse: Purse, policy: PaymentPolicy, start: Decimal) -> None:
        self.purse, self.policy, self.number = purse, policy, next(NUMBERS)
        purse.simulator.control.reset_calls()
        purse.set_balance(str(start))
        self.start = start

    def act(self, act: tuple[str, str]) -> None:
        """Do one thing; what is refused or can't be known yet is no failure here."""
        try:
            if act[0] == "dies at":
                assert in_another_process(lambda: self.pay(act[1])) in (0, 1, -signal.SIGKILL)
            elif act[0] == "settles":
                settle_unknown(self.purse.settler(), self.purse.warehouse, [self.purse.organization_id], operations=100)
            else:
                self._release()
        except (WalletError, SyrveError, WarehouseError):
            pass

    def pay(self, dies_at: str | None = None) -> None:
        """Run the payment, up to a step or to its end."""
        purse = self.purse
        whose = (purse.organization_id, purse.customer_id, purse.wallet_id)
        options = {} if dies_at is None else {"step": killed_at(dies_at)}
        payment = Payment(
            purse.money(**options), PaymentRequest(*whose, PRICE, f"order-{self.number}"), policy=self.policy
        )
        with payment as paying:
            if self.policy == POS and not paying.order_is_completed:
                with SimulatorControl(purse.simulator.url) as control:
                    for hold in control.holds(customer_id=purse.customer_id, state="open"):
                        control.consume_hold(purse.organization_id, hold["transaction_id"])
                paying.note_consumed(receipt="7")

    def _release(self) -> None:
        releasing, run = Releasing(self.purse), f"run-{self.number}-{next(NUMBERS)}"
        query = "select hold_id::text from wallet.open_hold where order_id = %s and confirmed_at is not null"
        for (hold_id,) in self.purse.rows(query, f"order-{self.number}"):
            if not self.purse.rows("select 1 from wallet.finding where hold_id = %s", hold_id):
                releasing.find(hold_id, rule="stale_hold", severity="medium")
            releasing.release(releasing.approved(run, rules=("stale_hold",)))

    def check(self) -> set[str]:
        """Compare what left the wallet with what the payment says, and return what it says."""
        rows = self.purse.rows(
            "select state, order_reported from wallet.payment_state where order_id = %s", f"order-{self.number}"
        )
        taken = self.start - self.purse.balance
        assert taken in (Decimal(0), PRICE)
        twice = "select operation_id from wallet.operation_event where state = 'sent' group by 1 having count(*) > 1"
        assert self.purse.rows(twice) == []
        for state, reported in rows:
            assert (state == "paid") <= (taken == PRICE)
            if reported == "order_completed" and taken < PRICE:
                assert state in ("due", "unpaid", "unsettled"), "what is not paid is said to be"
        return {state for state, _ in rows}


@pytest.mark.parametrize("policy", POLICIES)
def test_drawn_kills_charge_a_guest_once_or_not_at_all(purse: Purse, policy: PaymentPolicy) -> None:
    seen: set[str] = set()

    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @example(("dies at", "hold recorded"), [("releases", "")], "100.00")
    @given(DEATHS, st.lists(ACTS, min_size=1, max_size=4), st.sampled_from(["30.00", "59.99", "100.00"]))
    def play(first: tuple[str, str], acts: list[tuple[str, str]], start: str) -> None:
        pays = Pays(purse, policy, Decimal(start))
        for act in [first, *acts]:
            pays.act(act)
        pays.act(("settles", ""))
        pays.act(("dies at", "never"))  # goes on to its end
        seen.update(pays.check())
        for hold in purse.simulator.control.holds(customer_id=purse.customer_id, state="open"):
            with purse.client() as client:
                client.cancel_hold(purse.organization_id, hold["transaction_id"])

    play()

    released = purse.value(
        "select count(*) from wallet.operation_state where source = 'release' and state = 'confirmed'"
    )
    assert ("paid" in seen, released > 0) == (True, True), "the sequences pay, and release"
