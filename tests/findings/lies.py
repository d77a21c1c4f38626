"""Operations of ours at a service that says yes and does nothing, or moves money twice: what it did is each one's label."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import uuid4

from findings.history import Flag
from findings.world import AT_ONCE, Purse, Wait, World
from syrve.wallet.attempts import carry_out
from syrve.wallet.errors import MoneyNotSent
from syrve.wallet.look_again import LEAST_AGE_SECONDS, LOOK_BACK_DAYS
from syrve.wallet.operations import Kind, Operation, OperationState

NOT_SHOWN, MOVED_TWICE = "operation_not_shown", "operation_moved_twice"
Way = Literal[
    "true",
    "slow",
    "lied",
    "by hand",
    "late",
    "rejected",
    "twice",
    "copied",
    "denied",
    "denied twice",
    "denied slow",
    "lost",
]
MONEY: tuple[Kind, ...] = ("topup", "chargeoff")
WAYS: dict[Way, tuple[Kind, ...]] = {
    "true": (*MONEY, "cancel_hold"),
    "slow": (*MONEY, "cancel_hold"),  # its row can be read hours later than those of what moves afterwards
    "lied": (*MONEY, "cancel_hold"),
    "by hand": MONEY,  # a lie, and another moves the same sum: no row tells them apart
    "late": ("topup", "cancel_hold"),  # a lie that the service puts right a day later
    "rejected": (*MONEY, "cancel_hold"),  # a lie of which a person tells the ledger
    "twice": (*MONEY, "hold"),
    "copied": MONEY,  # a person moves the sum once more, and copies the note
    "denied": MONEY,  # carried out, and answered with 429
    "denied twice": MONEY,  # and made again
    "denied slow": MONEY,  # and made again, when the report does not have the first yet
    "lost": MONEY,
}
_LIE: dict[str, object] = {"fault": "status", "status": 200, "body": {}}
_DENIAL: dict[str, object] = {"fault": "status", "status": 429, "applied": True}
FAULTS: dict[Way, dict[str, object]] = {
    "lied": _LIE,
    "by hand": _LIE,
    "late": _LIE,
    "rejected": _LIE,
    "twice": {"fault": "twice"},
    "denied": _DENIAL,
    "denied twice": _DENIAL,
    "denied slow": _DENIAL,
    "lost": {"fault": "reset_after"},
}
LIES = frozenset({"lied", "late", "rejected"})
_REFILL, _WITHDRAWAL, _AT_A_TILL = 10, 11, 8
_DAY, _MINUTE = 86400.0, 60.0
SLOW_SECONDS = 30 * 3600.0
"""Longer than it is from a call to the first look at it, and to the one after."""
SKEW = timedelta(seconds=AT_ONCE.clock_skew_seconds)


@dataclass(frozen=True, slots=True)
class Label:
    """A finding that has to be there from a moment on, and until when."""

    flag: Flag
    since: datetime
    until: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        return self.since <= moment and (self.until is None or self.until > moment)


@dataclass
class Act:
    """One operation, what the service did with it, and what made it good again."""

    kind: Kind
    way: Way
    amount: Decimal
    at: datetime
    operation: OperationState | None = None
    repeated_at: datetime | None = None
    corrected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """A change of the balance that Syrve shows, and when the report has a row of it."""

    at: datetime
    amount: Decimal
    readable_at: datetime


@dataclass
class LiedTo:
    """A wallet, our operations of it, and every movement that changed its balance as Syrve shows it."""

    world: World
    looks: Sequence[datetime]
    purse: Purse
    acts: list[Act] = field(default_factory=list)
    held: list[Act] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)

    def run(self) -> Wait:
        """Do one thing or two, days apart; tills move other sums, also right before a look."""
        rng = self.world.rng
        for _ in range(rng.choice([1, 2])):
            yield rng.randrange(4) * _DAY + rng.randrange(24) * 3600.0 + rng.choice([7, 22, 37, 52]) * _MINUTE
            yield from self._act(rng.choice([(kind, way) for way, kinds in WAYS.items() for kind in kinds]))
            if rng.random() < 0.5:
                look = next(each for each in self.looks if each > self.world.now + timedelta(hours=1, minutes=5))
                yield (look - self.world.now).total_seconds() - rng.choice([5, 70]) * _MINUTE
                self._move(-self.world.amount() / 100, type=_AT_A_TILL)
            yield self._to_midnight()

    def _to_midnight(self) -> float:
        now = self.world.now
        return (now.replace(hour=0, minute=0, second=0) + timedelta(days=1) - now).total_seconds()

    def _act(self, chosen: tuple[Kind, Way]) -> Wait:
        kind, way = chosen
        world = self.world
        act = Act(kind, way, world.amount(), world.now)
        self.acts.append(act)
        held: dict[str, Any] = {}
        if kind == "cancel_hold":
            self.held.append(hold := Act("hold", "true", act.amount, world.now))
            hold.operation = self._do(hold)
            held["hold_id"] = hold.operation.operation_id
            yield _MINUTE
            act.at = world.now
        act.operation = self._do(act, **held)
        if way in ("by hand", "copied"):
            yield 2 * _MINUTE
            self._move_again(act, f"#{act.operation.operation_id}" if way == "copied" else "by hand")
            act.repeated_at = world.now
        elif way == "late":
            yield _DAY + 5 * _MINUTE
            self._move_again(act, f"#{held.get('hold_id', act.operation.operation_id)}")
            act.corrected_at = world.now
        elif way == "rejected":
            yield _DAY + 5 * _MINUTE
            self._person_rejects(act)
        elif (kind, way) == ("hold", "twice"):
            act.repeated_at = act.at if self._holds_twice else None
            self.held.append(act)
            yield 10 * _MINUTE
            self.acts.append(cancel := Act("cancel_hold", "true", act.amount, world.now))
            cancel.operation = self._do(cancel, hold_id=act.operation.operation_id)

    @property
    def _holds_twice(self) -> bool:
        return bool(self.world.switches["repeated_hold_id"] == "second_hold")

    def _do(self, act: Act, **held: Any) -> OperationState:
        world = self.world
        whose = {"customer_id": self.purse.customer_id, "wallet_id": self.purse.wallet_id}
        operation = Operation(
            act.kind, world.organization_id, "test", str(uuid4()), amount=act.amount, **(whose | held)
        )
        fault = FAULTS.get(act.way)
        world.control.set_faults([] if fault is None else [{"operation": f"wallet_{act.kind}", "count": 1} | fault])
        world.time.show_database()
        money = world.money(lambda name: None)
        if act.way in ("slow", "denied slow"):
            world.control.set_switches(transaction_delay_seconds=SLOW_SECONDS)
        with suppress(MoneyNotSent):
            carry_out(money, operation)
        world.control.set_switches(transaction_delay_seconds=world.switches["transaction_delay_seconds"])
        world.control.clear_faults()
        if act.way in ("denied twice", "denied slow"):
            carry_out(money, operation)
        first = money.ledger.find("test", f"{operation.key}:1")
        assert first is not None
        self._note(act)
        return first

    def _note(self, act: Act) -> None:
        """Record by how much the service changed the balance that it shows."""
        of_holds = act.kind in ("hold", "cancel_hold")
        if act.way in LIES or act.way == "by hand" or (of_holds and self.world.switches["balance_shows_held_money"]):
            return
        sign = 1 if act.kind in ("topup", "cancel_hold") else -1
        now, is_slow = self.world.now, act.way in ("slow", "denied slow")
        slowly = now + (timedelta(seconds=SLOW_SECONDS) if is_slow else self.world.visible_after)
        self.moved.append(Moved(now, sign * act.amount, slowly))
        is_repeated = act.way == "twice" and (act.kind != "hold" or self._holds_twice)
        if is_repeated or act.way in ("denied twice", "denied slow"):
            self.moved.append(Moved(now, sign * act.amount, now + self.world.visible_after))
        if act.way == "twice" and not of_holds:
            act.repeated_at = act.at

    def _move(self, amount: Decimal, **details: Any) -> None:
        amount = round(amount, 2)
        whose = (self.world.organization_id, self.purse.customer_id, self.purse.wallet_id)
        self.world.control.add_transaction(*whose, amount, **details)
        self.moved.append(Moved(self.world.now, amount, self.world.now + self.world.visible_after))

    def _move_again(self, act: Act, comment: str) -> None:
        is_charge = act.kind == "chargeoff"
        self._move(
            -act.amount if is_charge else act.amount, type=_WITHDRAWAL if is_charge else _REFILL, comment=comment
        )

    def _person_rejects(self, act: Act) -> None:
        assert act.operation is not None
        with self.world.warehouse.transaction("test") as cursor:
            cursor.execute(
                "insert into wallet.operation_event (operation_id, sequence, state, basis, evidence, occurred_at) "
                "select operation_id, sequence + 1, 'rejected', 'person', '{\"reason\": \"back_office\"}', %s "
                "from wallet.operation_state where operation_id = %s",
                (self.world.now, act.operation.operation_id),
            )
        act.corrected_at = self.world.now

    # what has to be found

    def labels(self) -> Iterator[Label]:
        """What the rules have to say of this wallet, by what the service did."""
        for act in self.acts:
            assert act.operation is not None
            if act.way in LIES and (act.kind != "cancel_hold" or not self.world.switches["balance_shows_held_money"]):
                yield from self._missing(act)
            elif act.way in ("twice", "copied") and act.repeated_at is not None:
                yield from self._twice(act)
            elif act.way in ("denied twice", "denied slow"):
                readable_at = next(each.readable_at for each in self.moved if each.at == act.at)
                yield Label(
                    self._flag(MOVED_TWICE, act), next(each for each in self._looks_at(act.at) if each >= readable_at)
                )

    def _missing(self, act: Act) -> Iterator[Label]:
        seen_at = next((each for each in self._looks_at(act.at) if self._is_complete(act, each)), None)
        if seen_at is None:
            return
        until = act.corrected_at
        if act.way == "late" and until is not None:
            shown_at = until + self.world.visible_after
            until = next((each for each in self._looks_at(act.at) if each >= shown_at), None)
        if until is None or until > seen_at:
            yield Label(self._flag(NOT_SHOWN, act), seen_at, until)

    def _twice(self, act: Act) -> Iterator[Label]:
        assert act.repeated_at is not None
        switches = self.world.switches
        if act.kind != "hold" or (
            not switches["balance_shows_held_money"] and not switches["hold_id_is_transaction_id"]
        ):
            yield Label(self._flag(MOVED_TWICE, act), act.repeated_at)
        elif not switches["balance_shows_held_money"]:
            yield from self._missing(self.acts[self.acts.index(act) + 1])  # one id, two holds, one end

    def _looks_at(self, at: datetime) -> Iterator[datetime]:
        """The looks at something that was sent then."""
        since, until = at + timedelta(seconds=LEAST_AGE_SECONDS), at + timedelta(days=LOOK_BACK_DAYS)
        return (each for each in self.looks if since <= each < until)

    def _is_complete(self, act: Act, look: datetime) -> bool:
        """Whether the rows that can be read at a look lead to the balance, since before the act or the hold that it ends."""
        begun = [
            each.at
            for each in self.held
            if each.operation and act.operation and each.operation.operation_id == act.operation.hold_id
        ]
        hidden = Decimal(0)
        for each in self.moved:
            if not min([act.at, *begun]) - SKEW <= each.at <= look:
                continue
            if each.readable_at > look:
                hidden += each.amount
            elif hidden:
                return False
        return not hidden

    def _flag(self, rule: str, act: Act) -> Flag:
        assert act.operation is not None
        about = act.operation.hold_id or act.operation.operation_id
        return Flag(rule, self.purse.customer_id, self.purse.wallet_id, about, act.amount)
