"""Orders at the tills of a simulated live service, and the feed that reads them."""

from datetime import timedelta
from typing import Any

from fixtures.pulls import Syncing
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.signals.feed import FeedRead, OrderFeed
from syrve.warehouse.database import Warehouse
from syrve_simulator.process import SimulatorProcess


class Feeding:
    """Places orders at the simulated tills and reads them."""

    def __init__(self, service: SimulatorProcess, warehouse: Warehouse) -> None:
        self.control = service.control
        self.syncing = Syncing(
            service, warehouse, SyrveConfig(base_url=service.url, api_login="demo-login", dialect="cloud")
        )
        self.organization_id = self.syncing.organization_id
        self.control.clear_faults()
        self.control.reset_calls()
        self.control.reset_clock()

    def client(self) -> SyrveClient:
        return self.syncing.client()

    def read(self) -> FeedRead:
        with self.client() as client:
            return OrderFeed(self.syncing.warehouse, client, region="RU", time_zone="Europe/Moscow").read(
                self.organization_id
            )

    def place(self, **order: Any) -> dict[str, Any]:
        customer = self.syncing.customers(1)[0]
        return self.control.put_order(self.organization_id, customer_id=customer["customer_id"], **order)

    def calls(self, operation: str) -> int:
        calls = self.control.calls()["operations"]
        return calls[operation]["received"] if operation in calls else 0

    def age_bookmark(self, age: timedelta) -> None:
        self.syncing.execute("update sync.order_bookmark set read_at = now() - %s", age)
