"""Visits at the simulated live service: unknown guests come by an order, and how long each waits for its row."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from devstack import names
from devstack.counts import Warehouse
from devstack.errors import StackError
from devstack.syrve import signed_in
from syrve_simulator.control import SimulatorControl

VISITS = 5
APART_SECONDS = 1.0
STATUSES = ["Unconfirmed", "Closed"]
KNOWN = "select count(*) from sync.roster where organization_id = %s"
LANDED = """
    select mirrored.customer_id::text from syrve.customer as mirrored
    inner join sync.roster as known using (organization_id, customer_id)
    where mirrored.organization_id = %s and known.source = 'order'
"""
OPEN_ORDERS = (
    "select count(*) from wallet.payment_order where organization_id = %s and state = 'open' and source = 'webhook'"
)


@dataclass
class Visit:
    """A guest's order: when it was placed, and when the guest's row was first seen in the mirror; seconds of a monotonic clock."""

    customer_id: str
    placed_at: float
    seen_at: float | None = None

    @property
    def waited_seconds(self) -> float:
        """How long the visit waited for its row; raises StackError for one that has none."""
        if self.seen_at is None:
            raise StackError("A visit has no row in the mirror")
        return self.seen_at - self.placed_at


class Visits:
    """Places orders of unknown guests, one after the other, and looks for their rows."""

    def __init__(
        self,
        simulator: SimulatorControl,
        warehouse: Warehouse,
        organization_id: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._simulator = simulator
        self._warehouse = warehouse
        self._clock = clock
        self.organization_id = organization_id
        self._guests = [each["customer_id"] for each in simulator.customers_page(organization_id, limit=VISITS)]
        self.visits: list[Visit] = []

    @property
    def are_over(self) -> bool:
        """Whether every guest came and is in the mirror."""
        return len(self.visits) == len(self._guests) and all(each.seen_at is not None for each in self.visits)

    def go_on(self) -> None:
        """Note the rows that have come, and place the next order if its time has come."""
        landed = self._landed() if self.visits else set()
        for each in self.visits:
            if each.seen_at is None and each.customer_id in landed:
                each.seen_at = self._clock()
        if len(self.visits) < len(self._guests) and (
            not self.visits or self._clock() >= self.visits[-1].placed_at + APART_SECONDS
        ):
            guest = self._guests[len(self.visits)]
            self.visits.append(Visit(guest, self._clock()))
            self._simulator.put_order(self.organization_id, customer_id=guest)

    def check_nobody_is_known(self) -> None:
        """Raise StackError if the roster knows a customer of this organization."""
        if known := self._number(KNOWN):
            raise StackError(f"The roster should know no customer of the live service, and knows {known}")

    def check(self) -> None:
        """Raise StackError unless every guest is in the mirror, came into the roster by an order, and the ledger has the orders."""
        missing = [each for each in self.visits if each.seen_at is None]
        if missing or not self.visits:
            raise StackError(f"{len(missing)} of {len(self.visits)} guests who came by an order are not in the mirror")
        if (orders := self._number(OPEN_ORDERS)) != len(self.visits):
            raise StackError(f"The ledger has {orders} orders from webhooks, where {len(self.visits)} were placed")

    def seconds(self) -> tuple[float, float]:
        """Return the median and the longest of the waits."""
        waits = [each.waited_seconds for each in self.visits]
        return median(waits), max(waits)

    def _landed(self) -> set[str]:
        with self._warehouse.cursor() as cursor:
            cursor.execute(LANDED, (self.organization_id,))
            return {customer_id for (customer_id,) in cursor.fetchall()}

    def _number(self, query: str) -> int:
        with self._warehouse.cursor() as cursor:
            cursor.execute(query, (self.organization_id,))
            return int(cursor.fetchone()[0])


def make_secret(warehouse_dsn: str, organization_id: str) -> str:
    """Make a secret for the webhooks of an organization, by the command that people use."""
    return _output(["-m", "syrve.signals", "secret", organization_id], {"SYRVE_SIGNALS_DSN": warehouse_dsn})


def send_webhooks(base_url: str, organization_id: str, url: str, secret: str) -> None:
    """Have the webhooks of deliveries sent to an address, as `syrve_webhooks` does; raises requests' errors."""
    body = {
        "organizationId": organization_id,
        "webHooksUri": url,
        "authToken": secret,
        "webHooksFilter": {"deliveryOrderFilter": {"orderStatuses": STATUSES, "errors": True}},
    }
    with signed_in(base_url, names.API_LOGIN) as syrve:
        syrve.ask("webhooks/update_settings", body)


def _output(arguments: Sequence[str], env: dict[str, str]) -> str:
    done = subprocess.run([sys.executable, *arguments], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"{' '.join(arguments[:3])} failed: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()
