"""Orders of ours under everything that others may do while they are paid: tills, sites, bonuses, other restaurants of the network."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from findings.book import Book
from findings.history import Cancel
from findings.own_payments import CHARGE_POLICY, STEPS, STRUCK, TILL_POLICY, OwnPayment
from findings.world import Purse, Wait, World
from syrve.api.errors import SyrveError
from syrve.wallet.payment import Payment

KINDS = ("single", "split", "retried")
_RESUMED: tuple[list[float], ...] = ([], [300.0], [120.0, 3 * 3600.0], [3600.0], [300.0, 2 * 86400.0])


@dataclass
class HardPayment(OwnPayment):
    """A payment with others at its wallet; what they do is drawn step by step."""

    others: tuple[str, ...] = ()
    cancelled_by_others: list[str] = field(default_factory=list)
    """Holds that a site sent a cancellation of."""

    def _process_order(self, payment: Payment, step: Callable[[str], None]) -> None:
        if "cancels" in self.others:
            self._cancel_by_another()
        if "consumes" in self.others and self.policy == CHARGE_POLICY and self.outcome == "goes through":
            self._take_held_money(payment, step)
        super()._process_order(payment, step)

    def _note(self, step: str) -> None:
        super()._note(step)
        if step.endswith(" called") and "moves" in self.others:
            self._move_by_another(step)

    def _cancel_by_another(self) -> None:
        """Let a site cancel the hold, and maybe tell of it."""
        world = self.world
        for hold in world.control.holds(customer_id=self.purse.customer_id, state="open"):
            with world.client() as client:
                with suppress(SyrveError):
                    client.cancel_hold(world.organization_id, hold["transaction_id"])
                self.cancelled_by_others.append(hold["transaction_id"])
            if world.rng.random() < 0.5:
                world.tell("cancel_hold", key=f"site-{hold['transaction_id']}", hold_id=hold["transaction_id"])

    def _move_by_another(self, step: str) -> None:
        """Move the same sum just after a call, so that the balance shows nothing of it, through any restaurant of the network."""
        world = self.world
        sign = 1 if step.startswith("chargeoff") else -1 if step.startswith("cancel_hold") else 0
        if sign:
            organization_id = world.rng.choice([each["organization_id"] for each in world.control.organizations()])
            whose = (self.purse.customer_id, self.purse.wallet_id)
            world.control.add_transaction(organization_id, *whose, sign * self.amount, type_name="Correction", type=9)


@dataclass
class ReleasedPayment(OwnPayment):
    """A payment whose process died once the order was done; a site gives the money back, and nobody says that the order ran."""

    released_at: list[datetime] = field(default_factory=list)

    def be_released(self, after_seconds: float) -> Wait:
        """Begin the payment, die, and let the site cancel the hold and tell of it."""
        self._attempt(self.dies_at)
        yield after_seconds
        world = self.world
        for hold in world.control.holds(customer_id=self.purse.customer_id, state="open"):
            with world.client() as client:
                client.cancel_hold(world.organization_id, hold["transaction_id"])
            self.released_at.append(world.now)
            world.tell("cancel_hold", key=f"site-{self.order_id}", hold_id=hold["transaction_id"])
            world.time.advance(1)

    def write_history(self, book: Book) -> None:
        super().write_history(book)
        self.world.history.payments[-1].cancels += [Cancel(at, at) for at in self.released_at]


@dataclass
class HardOrder:
    """One order with the payments that pay it."""

    order_id: str
    kind: str
    payments: list[HardPayment] = field(default_factory=list)

    def play(self, world: World) -> Wait:
        """Run the payments; a failed one is begun again after another paid."""
        rng = world.rng
        for payment in self.payments:
            world.control.set_switches(bonus_share=rng.choice([0, 0.1, 1]))
            faults = [
                {"operation": rng.choice(STRUCK), "count": 1} | world.fault() for _ in range(rng.choice([0, 1, 2]))
            ]
            yield from payment.run(faults, list(rng.choice(_RESUMED)))
        if self.kind == "retried":
            yield 600.0
            self.payments[0]._attempt(None)
        world.control.set_switches(bonus_share=0)

    def problems(self, book: Book, found: set[str]) -> Iterator[str]:
        """Say where more was taken than the order comes to, or less without a finding about the order or the guest."""
        for payment in self._due():
            theirs = payment.purse.customer_id
            taken = taken_from(book, theirs)
            due = payment.amount if payment.was_served else Decimal(0)
            what = f"{self.kind} order {self.order_id} of {payment.amount} ({payment.policy}, {payment.others})"
            if taken > payment.amount:
                yield f"{what}: {taken} was taken"
            elif taken != due and found.isdisjoint({theirs, self.order_id}):
                yield f"{what}: {due} is due, {taken} was taken, and no finding says so"

    def _due(self) -> list[HardPayment]:
        """The payments by which the order is judged: of retried ones the last, which has the same guest and amount."""
        return self.payments[-1:] if self.kind == "retried" else self.payments


def taken_from(book: Book, customer_id: str) -> Decimal:
    """What our charges and consumed holds took from a guest."""
    ours = [each for each in book.charges if each.customer_id == customer_id and "#" in each.comment]
    held = [each for each in book.holds if each.customer_id == customer_id and "#" in each.comment]
    consumed = sum((each.amount for each in held if each.state == "consumed"), Decimal(0))
    return sum((each.amount for each in ours), consumed)


def hard_order(world: World, number: int) -> HardOrder:
    """Draw an order."""
    rng = world.rng
    order = HardOrder(f"hard-{world.seed}-{number}", rng.choice(KINDS))
    amount = world.amount()
    policy = rng.choice([CHARGE_POLICY, CHARGE_POLICY, TILL_POLICY])
    purse = _purse(world, amount)
    outcome = rng.choice(["goes through"] * 4 + ["fails"])
    for place in range(1 if order.kind == "single" else 2):
        is_split = order.kind == "split"
        if is_split and place:
            amount = world.amount()
            purse = _purse(world, amount)
        is_first_try = order.kind == "retried" and not place
        order.payments.append(
            HardPayment(
                world,
                order.order_id,
                purse,
                amount,
                policy,
                outcome="fails" if is_first_try else outcome,
                dies_at=rng.choice(STEPS) if rng.random() < 0.5 else None,
                takes_held_money=rng.random() < 0.8,
                payment_id=f"{order.order_id}-{place}",
                others=tuple(each for each in ("cancels", "consumes", "moves") if rng.random() < 0.25),
            )
        )
    return order


def _purse(world: World, amount: Decimal) -> Purse:
    return world.purse(world.rng.choice([amount * 10, amount * 2, amount * Decimal("1.5"), amount]))
