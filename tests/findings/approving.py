"""A desk that plans, asks, approves, edits and sends in any order: what it sent, and what somebody had approved by then.

What was shown and approved is recorded here, by the lists and options themselves: the product's digests and tables are not asked.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

import pandas as pd

from findings.own_payments import Died
from findings.simulator_server import SimulatorServer
from fixtures.pulls import IMPATIENT
from fixtures.releases import Releasing
from fixtures.wallets import AT_ONCE, Purse
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.approvals.book import ApprovalBook, RunOf
from syrve.approvals.rules import ApproverRules, User
from syrve.errors import SyrveProviderError
from syrve.release.choosing import ReleasePlan
from syrve.release.question import KEEP_REST, RELEASE_ALL, RELEASE_NONE
from syrve.wallet.campaign import TopupPlan
from syrve.wallet.money import Money
from syrve.wallet.operations import Kind
from syrve.wallet.orders import OrderState, record_order
from syrve.wallet.topup import TopupList, TopupRun
from syrve.warehouse.database import Warehouse
from syrve.warehouse.runs import TaskKey

RUNS = ("run-a", "run-b")
FAULTS: list[dict[str, object]] = [
    {"fault": "reset_after"},
    {"fault": "rate_limit"},
    {"fault": "status", "status": 500},
    {"fault": "maintenance"},
]
Rows = frozenset[tuple[str, Decimal]]


class DeskPurse(Purse):
    """A purse at a simulator in this process."""

    server: SimulatorServer
    step: Callable[[str], None]

    def money(self, **options: Any) -> Money:
        shared: dict[str, Any] = {"backoff": IMPATIENT, "keeps_connection": False, "session": self.server.session()}
        client = SyrveClient(self.config, sleep=lambda seconds: None, **shared)
        self.opened.append(client)
        return Money(self.ledger, client, settings=AT_ONCE, step=options.get("step", lambda name: None))


def desk_purse(server: SimulatorServer, warehouse: Warehouse) -> DeskPurse:
    """A customer nobody has dealt with, who has 100.00 and is in the mirror."""
    customer = next(server.customers)
    config = SyrveConfig(server.url, "demo-login", dialect=server.dialect, timeout_seconds=5)
    wallet_id = customer["wallets"][0]["id"]
    purse = DeskPurse(
        server, warehouse, config, organization=server.organization_id, customer_id=customer["customer_id"]
    )
    purse.wallet_id, purse.server = wallet_id, server
    server.control.change_customer(server.organization_id, purse.customer_id, balances={wallet_id: Decimal("100.00")})
    purse.execute(
        "insert into syrve.customer (organization_id, customer_id, is_deleted, extra, first_seen_at, changed_at, fetched_at, "
        "profile_changed_at) values (%s, %s, false, '{}', now(), now(), now(), now())",
        *(purse.organization_id, purse.customer_id),
    )
    purse.execute(
        "insert into syrve.wallet_balance (organization_id, customer_id, wallet_id, balance, changed_at, fetched_at) "
        "values (%s, %s, %s, 100, now(), now())",
        *(purse.organization_id, purse.customer_id, wallet_id),
    )
    return purse


@dataclass
class Desk:
    """One seed's desk; `problems` says what was sent though it was not approved, `moved` how many calls were."""

    seed: int
    rng: Random
    server: SimulatorServer
    warehouse: Warehouse
    problems: list[str] = field(default_factory=list)
    moved: int = 0

    @property
    def name(self) -> str:
        return f"{type(self).__name__.lower()}-{self.seed}"

    def run(self) -> str:
        """The run at work: each desk has its own, and clears let an old one go on."""
        return f"{self.name}-{self.rng.choice(RUNS)}"

    def play(self, steps: int) -> None:
        """Do something so many times."""
        raise NotImplementedError

    def approvals(self, run: str) -> ApprovalBook:
        return ApprovalBook(self.warehouse, RunOf("dag", run, "asker"))

    @contextmanager
    def watched(self, operation: str, check: Callable[[dict[str, Any]], str | None]) -> Iterator[None]:
        """Check every call of the block, whether it was granted or not; what the product refuses to do is as well."""
        before = len(self.server.control.recorded_requests())
        if self.rng.random() < 0.2:
            self.server.control.set_faults([{"operation": operation, "count": 1} | self.rng.choice(FAULTS)])
        with suppress(Died, SyrveProviderError):
            yield
        self.server.control.clear_faults()
        for call in self.server.control.recorded_requests()[before:]:
            if call["operation"] == operation:
                self.moved += 1
                problem = check(call["body"])
                if problem is not None:
                    self.problems.append(
                        f"seed {self.seed} ({self.server.dialect}): {operation} {call['body']}: {problem}"
                    )


@dataclass
class Campaigner(Desk):
    """Somebody who edits a campaign's list while others approve and send it."""

    guests: list[DeskPurse] = field(default_factory=list)
    plans: list[TopupPlan] = field(default_factory=list)
    listed: dict[str, Rows] = field(default_factory=dict)
    """The rows of each list, by its digest."""
    approved: dict[tuple[str, str], Rows] = field(default_factory=dict)
    """The rows that were approved in a run, by run and digest."""
    present: Rows = frozenset()

    def play(self, steps: int) -> None:
        """Do something so many times, and send once more in each run."""
        self.guests = [desk_purse(self.server, self.warehouse) for _ in range(3)]
        self.edit()
        for _ in range(steps):
            self.rng.choice([self.edit, self.approve, self.approve, self.send, self.send, self.give_up])()
        self.approve()
        self.send()

    def edit(self) -> None:
        """Give the campaign another list, or the same again."""
        chosen = [each for each in self.guests if self.rng.random() < 0.7]
        amounts = [Decimal(self.rng.choice(["1.00", "2.00", "3.00"])) for _ in chosen]
        frame = pd.DataFrame(
            {"customer_id": [each.customer_id for each in chosen], "amount": list(map(str, amounts))}, dtype="object"
        )
        plan = self._list().plan([frame], dry_run=False)
        self.plans.append(plan)
        self.present = frozenset(zip((each.customer_id for each in chosen), amounts, strict=True))
        self.listed[plan.digest] = self.present | self.listed.get(plan.digest, frozenset())

    def give_up(self) -> None:
        if self.rng.random() < 0.3:
            self._list().give_up()
            self.present = frozenset()

    def approve(self) -> None:
        """Ask about some list that there was, and mostly approve it, in one run or another."""
        run = self.run()
        plan = self.plans[-1] if self.rng.random() < 0.6 else self.rng.choice(self.plans)
        with suppress(SyrveProviderError):
            self.approvals(run).plan(plan.content)
            self.approvals(run).ask(plan.content)
            if self.rng.random() < 0.15:
                self.approvals(run).close(plan.content, "rejected", user=User("7", "boss"))
                return
            answer = self.approvals(run).approve(plan.content, User("7", "boss"), ApproverRules())
            if answer.state == "approved":
                self.approved[run, plan.digest] = self.listed[plan.digest]

    def send(self) -> None:
        """Send, mostly what the run has an approval of; the process may die, and the list may change while it is at it."""
        known, run = list(self.approved), self.run()
        chosen = self.rng.choice(known[-2:] if known else [(run, self.plans[-1].digest)])
        run, digest = chosen if self.rng.random() < 0.8 else (run, self.rng.choice(self.plans).digest)
        edits_at = self.rng.choice(["topup opened", "topup recorded", "", ""])
        dies_at = self.rng.choice(["topup opened", "topup sent", "topup called", "topup recorded", *[""] * 8])
        gone: set[tuple[str, Decimal]] = set()

        def step(name: str) -> None:
            nonlocal edits_at
            if name == edits_at:
                edits_at = ""
                self.rng.choice([self.edit, self.give_up])()
                gone.update(self.approved.get((run, digest), frozenset()) - self.present)
                marks.append(len(self.server.control.recorded_requests()))
            if name == dies_at:
                raise Died

        marks: list[int] = []
        money = self.guests[0].money(step=step)
        key, approvals = TaskKey(run, "send"), self.approvals(run)

        def check(body: dict[str, Any]) -> str | None:
            row = (str(body["customerId"]), Decimal(str(body["sum"])))
            if row not in self.approved.get((run, digest), frozenset()):
                return "nobody approved this row in this run"
            if row in gone and any(
                each["body"] == body for each in self.server.control.recorded_requests()[marks[0] :]
            ):
                return "the list has lost this row"
            return None

        with self.watched("wallet_topup", check):
            TopupRun(money, key=key, campaign=self.name, approvals=approvals).send(digest)

    def _list(self) -> TopupList:
        organization_id = self.server.organization_id
        key = TaskKey("plan", "plan")
        return TopupList(
            self.warehouse, key=key, campaign=self.name, to_e164=lambda phone: None, organization_id=organization_id
        )


@dataclass
class Releaser(Desk):
    """Somebody who asks about dangling holds, while tills and sites end some and orders move."""

    desk: Releasing | None = None
    holds: dict[str, Decimal] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)
    plans: list[tuple[str, ReleasePlan]] = field(default_factory=list)
    approved: dict[str, set[str]] = field(default_factory=dict)
    """The holds that somebody chose, by question."""
    shown_at: dict[str, int] = field(default_factory=dict)
    changed_at: dict[str, int] = field(default_factory=dict)
    """When a question was shown, and when something became known of a hold, by the number of the step."""
    now: int = 0

    def play(self, steps: int) -> None:
        """Do something so many times, and release once more what each question allows."""
        self.desk = Releasing(desk_purse(self.server, self.warehouse))
        for _ in range(2):
            self.dangle()
        self.ask()
        for _ in range(steps):
            self.now += 1
            self.rng.choice(
                [self.dangle, self.ask, self.answer, self.answer, self.change, self.release, self.release]
            )()
        for _, plan in self.plans:
            self.release(plan)

    def dangle(self) -> None:
        assert self.desk is not None
        if len(self.holds) < 4:
            amount = Decimal(self.rng.choice([5, 10, 15]) + len(self.holds)).quantize(Decimal("0.01"))
            hold_id = self.desk.dangling(str(amount))
            self.holds[hold_id] = amount

    def ask(self) -> None:
        """Plan a question in some run; a run that asks again takes back what it asked before."""
        assert self.desk is not None
        run = self.run()
        choice: dict[str, Any] = {
            "organization_ids": [self.server.organization_id],
            "finding_ids": self.desk.findings,
        }
        plan = self.desk.plan(run, **choice)
        if plan.request_id is not None:
            self.plans.append((run, plan))
            self.shown_at[plan.request_id] = self.now

    def answer(self) -> None:
        """Answer some question, new or old, by some of its options."""
        assert self.desk is not None
        if not self.plans:
            return
        run, plan = self.rng.choice(self.plans)
        assert plan.request_id is not None
        chosen = [each for each in plan.hold_ids if self.rng.random() < 0.5]
        if self.rng.random() < 0.2:
            chosen.append(self.rng.choice([RELEASE_ALL, RELEASE_NONE, KEEP_REST]))
        states = {each.shown.hold_id: each.state for each in self.desk.book(run).holds(plan.request_id)}
        with suppress(SyrveProviderError):
            self.desk.answer(plan, *chosen, run=run)
            everything = set(plan.hold_ids) if RELEASE_ALL in chosen else set(chosen)
            asked = {hold_id for hold_id, state in states.items() if state == "asked"}
            self.approved.setdefault(plan.request_id, everything & asked)

    def change(self) -> None:
        """Let somebody end a hold, or an order move, and mostly tell of it."""
        assert self.desk is not None
        purse, hold_id = self.desk.purse, self.rng.choice(list(self.holds))
        what = self.rng.choice(["cancelled", "consumed", "order"])
        if what == "order":
            order_id = str(purse.value("select order_id from wallet.hold where hold_id = %s", hold_id))
            states: list[OrderState] = ["open", "completed", "failed"]
            state = self.rng.choice(states)
            if self.orders.get(hold_id) != state:
                record_order(self.warehouse, purse.organization_id, order_id, state, source="import:till")
                self.orders[hold_id], self.changed_at[hold_id] = state, self.now
            return
        is_open = [
            each["transaction_id"] for each in self.server.control.holds(customer_id=purse.customer_id, state="open")
        ]
        transaction_id = self.desk.transaction_id(hold_id)
        if transaction_id not in is_open:
            return
        if what == "consumed":
            self.server.control.consume_hold(purse.organization_id, transaction_id)
        else:
            self._cancel_by_another(transaction_id)
        if self.rng.random() < 0.6:
            kind: Kind = "chargeoff" if what == "consumed" else "cancel_hold"
            more: dict[str, Any] = {"consumes_hold": True} if what == "consumed" else {}
            told = purse.operation(kind, str(self.holds[hold_id]), hold_id=hold_id, source="import:till", **more)
            purse.ledger.observe(told, "confirmed", {"reason": "reported"}, basis="report")
            self.changed_at[hold_id] = self.now

    def release(self, plan: ReleasePlan | None = None) -> None:
        """Let some run go on with its question, however often."""
        assert self.desk is not None
        if not self.plans:
            return
        chosen = plan or self.rng.choice(self.plans)[1]
        request_id = str(chosen.request_id)
        dies_at = self.rng.choice(["cancel_hold sent", "cancel_hold called", "release settled", *[""] * 6])

        def step(name: str) -> None:
            if name == dies_at:
                raise Died

        by_syrve = {self.desk.transaction_id(each): each for each in self.holds}

        def check(body: dict[str, Any]) -> str | None:
            hold_id = by_syrve.get(str(body["transactionId"]))
            if hold_id is None or hold_id not in self.approved.get(request_id, set()):
                return "nobody approved this hold in this question"
            if self.changed_at.get(hold_id, -1) > self.shown_at[request_id]:
                return "something had become known of the hold since it was shown"
            return None

        with self.watched("wallet_cancel_hold", check):
            self.desk.release(request_id, step=step)

    def _cancel_by_another(self, transaction_id: str) -> None:
        assert self.desk is not None
        config, session = self.desk.purse.config, self.server.session()
        with SyrveClient(config, backoff=IMPATIENT, keeps_connection=False, session=session) as client:
            client.cancel_hold(self.server.organization_id, transaction_id)
