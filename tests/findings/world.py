"""What the actors of a simulation share: an organization of a simulator, a warehouse, the virtual time, and the history of it all."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import requests

from findings.history import History
from findings.virtual_time import VirtualTime
from fixtures.pulls import IMPATIENT
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.wallet.ledger import Ledger
from syrve.wallet.money import Money
from syrve.wallet.money_settings import WalletSettings
from syrve.warehouse.database import Warehouse
from syrve_simulator.control import CustomerState, SimulatorControl

FIRST_SEED = int(os.environ.get("FIRST_SEED", "0"))
"""The seeds of all simulations count from here: CONTRIBUTING says how to run others."""
AT_ONCE = WalletSettings(quiet_seconds=0.0)
"""What moved is visible at once in the simulator."""
FAULTS: list[dict[str, object]] = [
    {"fault": "status", "status": 500},
    {"fault": "status", "status": 503, "applied": True},
    {"fault": "reset_before"},
    {"fault": "reset_after"},
    {"fault": "truncate"},
    {"fault": "not_json"},
    {"fault": "not_json", "applied": True},
    {"fault": "stall", "stall_seconds": 60},
    {"fault": "rate_limit"},
    {"fault": "maintenance"},
    {"fault": "error_in_body", "own_status": 500},
    {"fault": "error_in_body", "own_status": 504, "applied": True},
    {"fault": "error_in_body", "own_status": 400, "error_code": "Wallet_NotEnoughMoney"},
]
Wait = Iterator[float]
"""An actor at work: it yields how many seconds it lets pass."""


@dataclass(frozen=True, slots=True)
class Purse:
    """A wallet of one customer."""

    customer_id: str
    wallet_id: str


@dataclass(frozen=True, slots=True)
class Look:
    """A balance as somebody who looked was shown it."""

    purse: Purse
    at: datetime
    balance: Decimal


@dataclass
class World:
    """One seed's world; `records` are rows of the import contract, those under `late` arrive after the first reconciliation."""

    seed: int
    rng: Random
    time: VirtualTime
    url: str
    control: SimulatorControl
    dialect: str
    warehouse: Warehouse
    organization_id: str
    customers: Iterator[CustomerState]
    looks: list[Look]
    reach: Callable[[requests.Session], None] = lambda session: None
    switches: dict[str, Any] = field(default_factory=dict)
    history: History = field(default_factory=History)
    records: list[dict[str, Any]] = field(default_factory=list)
    late: list[dict[str, Any]] = field(default_factory=list)
    patience_seconds: float = 5.0
    stalls: bool = True
    """Whether answers may stall: over a socket each costs the patience."""
    behind: set[str] = field(default_factory=set)
    """Keys of what is told late, and whatever comes after it of the same."""
    purses: set[str] = field(default_factory=set)
    """Customers of this seed; no other has to do with them."""
    mistakes: Random = field(init=False)
    """Decides about records that do not agree with their hold."""
    _amounts: set[Decimal] = field(default_factory=set)
    _sessions: list[requests.Session] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.mistakes = Random(self.seed + 1_000_000)

    @property
    def now(self) -> datetime:
        return self.time.now

    @property
    def visible_after(self) -> timedelta:
        """How late transactions can be read."""
        return timedelta(seconds=self.switches.get("transaction_delay_seconds", 0))

    @property
    def config(self) -> SyrveConfig:
        return SyrveConfig(self.url, "demo-login", dialect=self.dialect, timeout_seconds=self.patience_seconds)

    def purse(self, balance: Decimal) -> Purse:
        """A customer nobody has dealt with, with so much in the first wallet."""
        customer = next(self.customers)
        self.purses.add(customer["customer_id"])
        wallet_id = customer["wallets"][0]["id"]
        self.control.change_customer(self.organization_id, customer["customer_id"], balances={wallet_id: balance})
        return Purse(customer["customer_id"], wallet_id)

    def amount(self) -> Decimal:
        """A sum that nothing else of this world has."""
        while True:
            amount = Decimal(self.rng.randint(1_00, 900_00)).scaleb(-2)
            if amount not in self._amounts:
                self._amounts.add(amount)
                return amount

    def money(self, step: Callable[[str], None]) -> Money:
        """What a process of ours moves money with."""
        return Money(Ledger(self.warehouse), self.client(), settings=AT_ONCE, step=step)

    def client(self) -> SyrveClient:
        """Our own client, of one process."""
        session = requests.Session()
        self.reach(session)
        self._sessions.append(session)
        return SyrveClient(
            self.config, backoff=IMPATIENT, keeps_connection=False, sleep=lambda seconds: None, session=session
        )

    def look(self, purse: Purse) -> None:
        """Look at a balance, as a pull of customers does."""
        with self.client() as client:
            customer = client.customer_by_id(self.organization_id, purse.customer_id)
        (balance,) = [each.balance for each in customer.wallets if each.wallet_id == purse.wallet_id]
        self.looks.append(Look(purse, self.now, balance))

    def session(self) -> requests.Session:
        """What somebody else calls Syrve with."""
        session = requests.Session()
        session.trust_env = False
        self.reach(session)
        self._sessions.append(session)
        return session

    def fault(self) -> dict[str, object]:
        """Some way for one call to go wrong."""
        return self.rng.choice(FAULTS if self.stalls else [each for each in FAULTS if each["fault"] != "stall"])

    def tell(self, record: str, *, at: datetime | None = None, **fields: Any) -> None:
        """Record something for the import, as of now or `at`; a service that fell behind delivers late, and some records come twice."""
        row = {"record": record, "organization_id": self.organization_id, "occurred_at": (at or self.now).isoformat()}
        row |= {name: str(value) for name, value in fields.items() if value is not None}
        what = str(fields.get("key") or fields.get("hold_id") or fields["order_id"])
        if what not in self.behind and self.rng.random() < 0.2:
            self.behind.add(what)
        (self.late if what in self.behind else self.records).append(row)
        if self.rng.random() < 0.15:
            self.late.append(row)

    def close(self) -> None:
        for session in self._sessions:
            session.close()
