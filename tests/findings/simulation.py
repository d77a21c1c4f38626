"""A simulation of one organization: payments by us, by somebody else's order service and at tills, over three months, decided by a seed."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any

import pandas as pd

from findings.book import Book
from findings.expected import name_of
from findings.hard_orders import ReleasedPayment
from findings.history import Cancel
from findings.own_payments import CHARGE_POLICY, DEATHS, STRUCK, TILL_POLICY, OwnPayment
from findings.service import Service
from findings.tills import Tills
from findings.world import Look, Purse, Wait, World
from syrve.wallet.importing import WalletImport
from syrve.warehouse.database import Warehouse
from syrve.warehouse.runs import TaskKey

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 60
DAY_SECONDS = 86400.0
MOMENTS = [
    BEGIN + timedelta(days=days, hours=hours) for days, hours in ((12, 9), (27, 18), (41, 0), (DAYS, 0), (90, 0))
]
"""As of when findings are evaluated: whole hours, while things happen at minutes from which no threshold leads to one."""
_MINUTES = (7, 22, 37, 52)
PLENTY = Decimal("100000.00")


@dataclass
class Simulation:
    """One organization's simulation, once it is over."""

    world: World
    own: list[OwnPayment] = field(default_factory=list)
    service: Service | None = None
    careful_service: Service | None = None
    book: Book | None = None

    def play(self, *, own_payments: int, orders: int) -> None:
        """Let everything happen."""
        world, rng = self.world, self.world.rng
        world.control.set_switches(**world.switches)
        self.service = Service(world)
        self.careful_service = Service(world, fault_probability=0)
        waiting: list[tuple[datetime, int, Wait]] = []
        for actor in [*self._own(own_payments), *self._orders(orders)]:
            day = BEGIN + timedelta(days=rng.randrange(DAYS), hours=rng.randrange(24))
            shortly_before = rng.choice(MOMENTS[:4]) - timedelta(hours=rng.randrange(1, 30))
            start = (shortly_before if rng.random() < 0.4 else day) + timedelta(minutes=rng.choice(_MINUTES))
            waiting.append((start, len(waiting), actor))
        heapq.heapify(waiting)
        while waiting:
            moment, number, actor = heapq.heappop(waiting)
            if moment > world.now:
                world.time.move_to(moment)
            for seconds in actor:
                heapq.heappush(waiting, (world.now + timedelta(seconds=seconds), number, actor))
                break
        world.time.move_to(MOMENTS[-1])

    def _own(self, count: int) -> Iterator[Wait]:
        rng = self.world.rng
        for number in range(count):
            amount = self.world.amount()
            if number == 0 and self.world.seed % 25 == 5:
                yield self._released(amount)
                continue
            balance = rng.choice([amount * 10, amount * 10, amount * 2, amount * Decimal("1.5"), amount])
            policy = rng.choice([CHARGE_POLICY, CHARGE_POLICY, TILL_POLICY])
            payment = OwnPayment(
                self.world,
                order_id=f"own-{self.world.seed}-{number}",
                purse=self.world.purse(balance),
                amount=amount,
                policy=policy,
                outcome=rng.choice(["goes through"] * 4 + ["fails", "nobody knows"]),
                dies_at=rng.choice(DEATHS) if rng.random() < 0.5 else None,
                takes_held_money=rng.random() < 0.8,
            )
            self.own.append(payment)
            faults = [
                {"operation": rng.choice(STRUCK), "count": 1} | self.world.fault() for _ in range(rng.choice([0, 1, 2]))
            ]
            if number == 0 and self.world.seed % 25 == 0:
                payment.dies_at, faults = "hold planned", []  # and nobody goes on with it
                yield payment.run(faults, [])
                continue
            resumed_after = rng.choice([[], [300.0], [3 * 3600.0], [300.0, 2 * DAY_SECONDS], [DAY_SECONDS]])
            yield payment.run(faults, resumed_after)

    def _released(self, amount: Decimal) -> Wait:
        """A payment of ours that somebody releases and nobody reports."""
        order_id, purse = f"own-{self.world.seed}-0", self.world.purse(amount * 10)
        payment = ReleasedPayment(
            self.world, order_id, purse, amount, CHARGE_POLICY, "goes through", "order done", takes_held_money=False
        )
        self.own.append(payment)
        return payment.be_released(3 * 3600.0)

    def _orders(self, count: int) -> Iterator[Wait]:
        assert self.service is not None
        assert self.careful_service is not None
        rng = self.world.rng
        purses = [self.world.purse(PLENTY) for _ in range(3)]
        for _ in range(count):
            order = self.service.order(rng.choice(purses))
            if rng.random() < 0.15:
                order.purse = self.world.purse(PLENTY)
                yield self.careful_service.be_watched(order)
            elif rng.random() < 0.3:
                yield Tills(self.world, self.service).serve(order, rng.sample(purses, rng.choice([1, 1, 2, 3])))
            elif rng.random() < 0.3:
                yield self.service.pay_with_wallet(order, succeeds=rng.random() < 0.7)
            else:
                yield self.service.muddle_through(order)

    def end(self, book: Book) -> None:
        """Finish the history by the simulator's book; holds that ended by time are told of by somebody who saw it."""
        world = self.world
        self.book = book.of(world.purses)
        for payment in self.own:
            payment.write_history(self.book)
        known = {each.hold_id: each for each in world.history.holds}
        for hold in self.book.holds:
            if hold.state == "expired" and hold.ended_at is not None and name_of(hold) in known:
                world.tell("cancel_hold", at=hold.ended_at, hold_id=hold.hold_id, key=f"{hold.hold_id}-end")
                if known[name_of(hold)].id_is_known:
                    known[name_of(hold)].cancels.append(Cancel(hold.ended_at, hold.ended_at))

    def hear_report(self) -> None:
        """Let the history know what Syrve's transactions report tells of it by the last day, to whoever asks for it (`cloud`)."""
        world, book, last = self.world, self.book, MOMENTS[-1]
        assert book is not None
        tells_of_holds = world.switches["hold_transaction_type"] is not None
        is_read = {each.customer_id for each in world.history.holds if each.may_be_open(last)}
        for hold in world.history.holds:
            made = next((each for each in book.holds if name_of(each) == hold.hold_id), None)
            if made is None or not tells_of_holds:
                continue
            if "#" not in made.comment:
                is_named = world.switches["hold_id_is_transaction_id"]
                if hold.granted_at is None and hold.refused_at is None and is_named:
                    hold.granted_at = last
            elif made.state in ("cancelled", "expired") and not world.switches["balance_shows_held_money"]:
                assert made.ended_at is not None
                hold.cancels.append(Cancel(made.ended_at, made.ended_at))
        world.history.silent = [each for each in world.history.silent if each[0] not in is_read]


def bring_in(warehouse: Warehouse, run: str, rows: list[dict[str, Any]], rng: Random) -> int:
    """Import records as they come, in any order, what concerns one operation in one batch; how many were refused."""
    rng.shuffle(rows)
    batches: tuple[list[dict[str, Any]], ...] = ([], [])
    for row in rows:
        batches[sum(map(ord, row.get("key") or row.get("hold_id") or row["order_id"])) % 2].append(row)
    job = WalletImport(warehouse, key=TaskKey(run, "import"), source="service")
    return job.run(pd.DataFrame(batch, dtype="object") for batch in batches if batch).rejected


def keep_looks(warehouse: Warehouse, organization_id: str, looks: Sequence[Look]) -> None:
    """Write balances as a pull would: a version ends when a look shows another balance."""
    wallets: dict[Purse, list[Look]] = {}
    for look in sorted(looks, key=lambda each: each.at):
        kept = wallets.setdefault(look.purse, [])
        if not kept or kept[-1].balance != look.balance:
            kept.append(look)
    with warehouse.transaction("test") as cursor:
        for purse, kept in wallets.items():
            whose = (organization_id, purse.customer_id, purse.wallet_id)
            for former, later in pairwise(kept):
                cursor.execute(
                    "insert into syrve.wallet_balance_version (organization_id, customer_id, wallet_id, balance, valid_from, valid_to) "
                    "values (%s, %s, %s, %s, %s, %s)",
                    (*whose, former.balance, former.at, later.at),
                )
            cursor.execute(
                "insert into syrve.wallet_balance (organization_id, customer_id, wallet_id, balance, changed_at, fetched_at) "
                "values (%s, %s, %s, %s, %s, %s)",
                (*whose, kept[-1].balance, kept[-1].at, kept[-1].at),
            )


SWITCHES: list[Callable[[Random], tuple[str, Any]]] = [
    lambda rng: ("balance_shows_held_money", rng.random() < 0.5),
    lambda rng: ("second_cancel", rng.choice(["error", "ok"])),
    lambda rng: ("consumed_cancel", rng.choice(["error", "ok"])),
    lambda rng: ("repeated_hold_id", rng.choice(["error", "same_answer", "second_hold"])),
    lambda rng: ("hold_transaction_type", rng.choice([36, None, 8])),
    lambda rng: ("hold_id_is_transaction_id", rng.random() < 0.5),
    lambda rng: ("transaction_sums", rng.choice(["signed", "absolute"])),
    lambda rng: ("transactions_order", rng.choice(["ascending", "descending", "none"])),
    lambda rng: ("transaction_delay_seconds", rng.choice([0, 0, 3600.0])),
    lambda rng: ("hold_lifetime_seconds", rng.choice([None, None, None, 2 * DAY_SECONDS])),
    lambda rng: ("max_page_size", rng.choice([1, 2, 1000])),
]


def any_switches(rng: Random) -> dict[str, Any]:
    """Some setting of the switches that matter to money."""
    return dict(draw(rng) for draw in SWITCHES)
