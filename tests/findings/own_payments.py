"""Our own payments, run as an application would, by processes that die; and what of each can be known, by the simulator's book."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from findings.book import Book, BookCall
from findings.history import Cancel, Charge, Hold, Planned
from findings.world import AT_ONCE, Purse, Wait, World
from syrve.api.errors import SyrveError
from syrve.wallet.errors import PaymentRefused, PaymentUnsettled, WalletError
from syrve.wallet.money_settings import POLICIES, PaymentPolicy
from syrve.wallet.operations import marked_operations
from syrve.wallet.payment import OrderOutcomeUnknown, Payment, PaymentRequest

CHARGE_POLICY, TILL_POLICY = POLICIES
STEPS = [
    "order opened",
    *(
        f"{kind} {each}"
        for kind in ("hold", "chargeoff", "cancel_hold")
        for each in ("planned", "sent", "called", "recorded")
    ),
    "order done",
    "order completed",
    "order failed",
    "held money taken",
    "consumption recorded",
]
DEATHS = STEPS + [each for each in STEPS if each.endswith(" planned")] * 2
STRUCK = ["wallet_hold", "wallet_chargeoff", "wallet_cancel_hold"]


class Died(BaseException):
    """The process is gone: nothing of it runs any more."""


class Refused(Exception):
    """The order service could not take the order."""


@dataclass
class Attempt:
    """One process at a payment: the steps that it did, each with when."""

    began_at: datetime
    steps: list[tuple[str, datetime]] = field(default_factory=list)
    died_at: str | None = None


@dataclass
class OwnPayment:
    """One payment from its first process to its last."""

    world: World
    order_id: str
    purse: Purse
    amount: Decimal
    policy: PaymentPolicy
    outcome: str
    dies_at: str | None
    takes_held_money: bool
    payment_id: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    consumed_at: datetime | None = None
    consumed_hold_id: str | None = None
    noted_at: list[datetime] = field(default_factory=list)
    """When it counts as told that the till took the held money."""

    @property
    def was_served(self) -> bool:
        """Whether the order was carried out, whatever became of the payment: by us or, where it took the money, by the till."""
        return self.consumed_at is not None or any(
            name == "order done" for attempt in self.attempts for name, _ in attempt.steps
        )

    def run(self, faults: list[dict[str, object]], resumed_after: list[float]) -> Wait:
        """Begin the payment, and go on with it as often as somebody does."""
        self.world.control.set_faults(faults)
        with self._denied():
            self._attempt(self.dies_at)
        self.world.control.clear_faults()
        for seconds in resumed_after:
            yield seconds
            self._attempt(None)
        if self.consumed_at is not None and (self.noted_at != [self.consumed_at] or self.world.rng.random() < 0.5):
            yield from self._till_tells()

    @contextmanager
    def _denied(self) -> Iterator[None]:
        """Take a right away for the block, or the loyalty programme of the whole organization; mostly nothing."""
        world = self.world
        kind = world.rng.choice(["right", "loyalty", *["nothing"] * 10])
        rights = [world.rng.choice(STRUCK)] if kind == "right" else []
        closed = [world.organization_id] if kind == "loyalty" else []
        world.control.set_switches(removed_rights=rights, organizations_without_loyalty=closed)
        yield
        world.control.set_switches(removed_rights=[], organizations_without_loyalty=[])

    def _attempt(self, dies_at: str | None) -> None:
        world, attempt = self.world, Attempt(self.world.now)
        self.attempts.append(attempt)

        def step(name: str) -> None:
            attempt.steps.append((name, world.now))
            self._note(name)
            if world.rng.random() < 0.02:
                world.control.expire_tokens()
            world.time.advance(1)
            world.time.show_database()
            if name == dies_at:
                attempt.died_at = name
                raise Died

        world.time.show_database()
        request = PaymentRequest(
            world.organization_id,
            self.purse.customer_id,
            self.purse.wallet_id,
            self.amount,
            self.order_id,
            payment_id=self.payment_id,
        )
        payment = Payment(world.money(step), request, policy=self.policy)
        is_begun = False
        with suppress(Died, WalletError, SyrveError, Refused, OrderOutcomeUnknown):
            try:
                with payment:
                    is_begun = True
                    if not payment.order_is_completed:
                        self._process_order(payment, step)
            except (PaymentRefused, PaymentUnsettled):
                if not is_begun and self._order_state() == "open":
                    world.history.says(self.order_id, "failed", world.now, self.amount)  # it was not run
                raise

    def _process_order(self, payment: Payment, step: Callable[[str], None]) -> None:
        if self.outcome == "fails":
            raise Refused
        if self.outcome == "nobody knows" and len(self.attempts) == 1:
            raise OrderOutcomeUnknown
        if self.policy == TILL_POLICY and self.takes_held_money:
            self._take_held_money(payment, step)
        step("order done")

    def _take_held_money(self, payment: Payment, step: Callable[[str], None]) -> None:
        world = self.world
        is_taken = self.consumed_at is not None  # a till that is asked again takes no other hold of the guest
        for hold in world.control.holds(customer_id=self.purse.customer_id, state="open")[-1:] if not is_taken else []:
            world.control.consume_hold(world.organization_id, hold["transaction_id"])
            self.consumed_at, self.consumed_hold_id = world.now, hold["transaction_id"]
            if self.world.rng.random() < 0.5:
                step("held money taken")
        if self.consumed_at is not None:
            self.noted_at.append(world.now)
            payment.note_consumed(receipt="7")

    def _till_tells(self) -> Wait:
        assert self.consumed_at is not None
        assert self.consumed_hold_id is not None
        self.noted_at.append(self.consumed_at)
        self.world.tell(
            "chargeoff",
            at=self.consumed_at,
            key=f"till-{self.order_id}",
            hold_id=self.consumed_hold_id,
            customer_id=self.purse.customer_id,
            wallet_id=self.purse.wallet_id,
            amount=self.amount,
            order_id=self.order_id,
            consumes_hold=True,
        )
        yield 0.0

    def _note(self, step: str) -> None:
        """Write the order service's record of the order."""
        history, now, state = self.world.history, self.world.now, self._order_state()
        if step == "order opened" and state is None:
            history.says(self.order_id, "open", now, self.amount)
        elif step == "order completed" and state != "completed":
            history.says(self.order_id, "completed", now, self.amount)
        elif step == "order failed" or (step == "cancel_hold planned" and state == "open"):
            history.says(self.order_id, "failed", now, self.amount)  # or not run, since the hold's outcome is unknown

    def _order_state(self) -> str | None:
        known = self.world.history.order(self.order_id, self.world.now)
        return None if known is None else known[1]

    # what can be known of it

    def write_history(self, book: Book) -> None:
        """Add to the history what the simulator's book says of this payment, each with when a process of ours could know."""
        self.world.history.planned += self._planned()
        holds = [self._hold(book, each) for each in self._sent("hold")]
        self.world.history.holds += holds
        made = [each for each in holds if each.refused_at is None]
        assert len(made) <= 1, "one payment never has two holds"
        if not made:
            return
        (hold,) = made
        self.world.history.payments.append(hold)
        hold.cancels = [self._cancel(book, each, hold) for each in self._sent("cancel_hold")]
        charges = [self._charge(book, each, hold) for each in self._sent("chargeoff")]
        self.world.history.charges += charges
        for noted_at in self.noted_at:
            hold.consumed_at = min(noted_at, hold.consumed_at or noted_at)
            self.world.history.charges.append(self._a_charge(None, hold, noted_at, noted_at, consumes=True))

    def _planned(self) -> Iterator[Planned]:
        """What a process wrote down before it died, and when another sent it."""
        for place, attempt in enumerate(self.attempts):
            name = (attempt.died_at or "").partition(" planned")[0]
            if attempt.died_at != f"{name} planned":
                continue
            later = [step for each in self.attempts[place + 1 :] for step in each.steps if step[0] == f"{name} sent"]
            over_at = later[0][1] if later else None
            whose = (self.purse.customer_id, self.purse.wallet_id)
            yield Planned(*whose, self.amount, attempt.steps[-1][1], over_at)

    def _sent(self, kind: str) -> list["Sent"]:
        found = []
        for attempt in self.attempts:
            names = [name for name, _ in attempt.steps]
            for place, (name, at) in enumerate(attempt.steps):
                if name == f"{kind} sent":
                    was_recorded = names[place + 1 : place + 3] == [f"{kind} called", f"{kind} recorded"]
                    recorded_at = attempt.steps[place + 2][1] if was_recorded else None
                    died_then = attempt.died_at == f"{kind} recorded" and len(names) == place + 3
                    found.append(Sent(kind, at, recorded_at, looked=was_recorded and not died_then))
        return found

    def _call(self, book: Book, sent: "Sent") -> BookCall | None:
        for call in book.calls:
            whose = call.body.get("customerId", self.purse.customer_id)
            mine = book.hold(str(call.body.get("transactionId"))) if sent.kind == "cancel_hold" else None
            is_mine = whose == self.purse.customer_id and (mine is None or mine.customer_id == whose)
            is_then = timedelta(0) <= call.received_at - sent.at <= timedelta(seconds=1.9)
            if call.operation == f"wallet_{sent.kind}" and is_then and is_mine:
                return call
        return None

    def _hold(self, book: Book, sent: "Sent") -> Hold:
        call = self._call(book, sent)
        (marker,) = marked_operations(call.body["comment"]) if call else (None,)
        hold = Hold(marker, self.purse.customer_id, self.purse.wallet_id, self.amount, self.order_id, sent.at)
        made = book.hold_with(marker) if marker else None
        shown = made is not None and self._is_shown(needs_free_money=self.world.dialect == "reference")
        hold.granted_at, hold.refused_at = self._known(
            book, sent, call, made.opened_at if made else None, shown=shown, absence_shows=False
        )
        was_answered = call is not None and call.answer == "granted" and sent.recorded_at is not None
        hold.id_is_known = was_answered or self.world.dialect == "cloud"
        return hold

    def _cancel(self, book: Book, sent: "Sent", hold: Hold) -> Cancel:
        call = self._call(book, sent)
        made = book.hold_with(hold.hold_id) if hold.hold_id else None
        is_over = made is not None and (made.state == "expired" or (made.state == "cancelled" and call is not None))
        ended_at = made.ended_at if made and is_over else None
        shown = ended_at is not None and self._is_shown(needs_free_money=True)
        return Cancel(sent.at, *self._known(book, sent, call, ended_at, shown=shown, absence_shows=False))

    def _charge(self, book: Book, sent: "Sent", hold: Hold) -> Charge:
        call = self._call(book, sent)
        (marker,) = marked_operations(call.body["comment"]) if call else (None,)
        made = book.charge_with(marker) if marker else None
        happened_at = made.charged_at if made else None
        known = self._known(book, sent, call, happened_at, shown=made is not None, absence_shows=True)
        return self._a_charge(marker, hold, sent.at, *known)

    def _a_charge(
        self,
        key: str | None,
        hold: Hold,
        sent_at: datetime,
        granted_at: datetime | None,
        refused_at: datetime | None = None,
        *,
        consumes: bool = False,
    ) -> Charge:
        whose = (self.purse.customer_id, self.purse.wallet_id, self.amount, self.order_id)
        return Charge(key, *whose, sent_at, granted_at, refused_at, hold, is_ours=True, consumes=consumes)

    def _known(
        self,
        book: Book,
        sent: "Sent",
        call: BookCall | None,
        happened_at: datetime | None,
        *,
        shown: bool,
        absence_shows: bool,
    ) -> tuple[datetime | None, datetime | None]:
        """When it could be known that the money moved, and when that it did not: by the answer, or by what Syrve shows later."""
        if call is not None and sent.recorded_at is not None and call.answer != "unclear":
            return (sent.recorded_at, None) if call.answer == "granted" else (None, sent.recorded_at)
        for look_at in self._looks(book, sent):
            is_soon = (look_at - sent.at).total_seconds() <= AT_ONCE.balance_window_seconds
            if self.world.dialect == "cloud":
                if happened_at is not None and shown and look_at >= happened_at + self.world.visible_after:
                    return look_at, None
            elif happened_at is not None and shown and is_soon:
                return look_at, None
            if happened_at is None and absence_shows and is_soon:
                return None, look_at
        return None, None

    def _is_shown(self, *, needs_free_money: bool) -> bool:
        """Whether Syrve shows a hold or its end: in the report of `cloud`, or by the balance, which may have held money in it."""
        switches = self.world.switches
        if needs_free_money and switches.get("balance_shows_held_money"):
            return False
        return self.world.dialect == "reference" or switches.get("hold_transaction_type", 36) is not None

    def _looks(self, book: Book, sent: "Sent") -> list[datetime]:
        """When somebody looked for evidence: by the report under `cloud`; else right after the call, and when the payment was resumed."""
        if self.world.dialect == "cloud":
            since = sent.at - timedelta(seconds=AT_ONCE.clock_skew_seconds)
            return [
                call.received_at
                for call in book.calls
                if call.operation == "transactions_by_date"
                and call.body["customerId"] == self.purse.customer_id
                and abs(wire_moment(call.body["dateFrom"]) - since) < timedelta(milliseconds=500)
            ]
        first = [sent.recorded_at + timedelta(seconds=1)] if sent.looked and sent.recorded_at else []
        return first + [each.began_at for each in self.attempts if each.began_at > sent.at]


@dataclass(frozen=True, slots=True)
class Sent:
    """An operation that a process was about to send: when it wrote the answer down (None: it died first), and whether it looked on."""

    kind: str
    at: datetime
    recorded_at: datetime | None
    looked: bool


def wire_moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
