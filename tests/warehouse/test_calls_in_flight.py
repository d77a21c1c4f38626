"""Calls under way at once are bounded over all workers, and the places of a dead worker are free at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from fixtures.pulls import Syncing
from fixtures.waiting import wait_until
from syrve.api.bulk import BulkLookup
from syrve.api.client import SyrveClient
from syrve.api.models import Lookup
from syrve.api.transports.blocking import BlockingTransport
from syrve.api.transports.concurrent import ConcurrentTransport
from syrve.warehouse.budget import CallBudget
from syrve.warehouse.database import Warehouse
from syrve.warehouse.errors import WarehouseUnavailable

MOST = 3


def worker(warehouse: Warehouse, account: str = "a") -> CallBudget:
    per_minute = {"customer": 60_000, "wallet": 60_000}
    return CallBudget(warehouse, account=account, per_minute=per_minute, bulk=False, max_in_flight={"customer": MOST})


def places(taker: CallBudget, family: str = "customer") -> int:
    """Take all the places that there are."""
    taken = 0
    while taker.enter(family):
        taken += 1
    return taken


def test_all_workers_of_an_account_share_its_places(warehouse: Warehouse) -> None:
    with worker(warehouse) as one, worker(warehouse) as two, worker(warehouse, "another") as other:
        assert one.enter("customer")
        assert places(two) == MOST - 1
        assert not one.enter("customer")
        two.leave("customer")
        assert places(one) == 1

        assert places(other) == MOST
        assert not one.bounds_in_flight("wallet")
    with worker(warehouse) as later:
        assert places(later) == MOST


def test_places_of_a_dead_worker_are_free_at_once(warehouse: Warehouse) -> None:
    with suppress(WarehouseUnavailable), worker(warehouse) as dead, worker(warehouse) as other:
        assert places(dead) == MOST
        with warehouse.transaction("terminate") as cursor:
            cursor.execute("select pg_terminate_backend(%s)", (dead._connection.get_backend_pid(),))

        wait_until(lambda: other.enter("customer"))
        assert places(other) == MOST - 1


class Watch:
    """Counts the calls under way, of whatever transport."""

    def __init__(self) -> None:
        self.most = self._now = 0
        self._lock = threading.Lock()

    @contextmanager
    def call(self) -> Iterator[None]:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    found = Watch()
    for transport in (BlockingTransport, ConcurrentTransport):
        _watch_sends(monkeypatch, transport, found)
    return found


def _watch_sends(monkeypatch: pytest.MonkeyPatch, transport: Any, found: Watch) -> None:
    sends = transport.send

    async def send(self: Any, request: Any) -> Any:
        with found.call():
            return await sends(self, request)

    monkeypatch.setattr(transport, "send", send)


def test_no_more_calls_are_under_way_than_there_are_places(syncing: Syncing, watch: Watch) -> None:
    page = syncing.simulator.control.customers_page(syncing.organization_id, limit=30)
    lookups = [Lookup(syncing.organization_id, "id", each["customer_id"]) for each in page]
    config = replace(syncing.config, max_concurrency=8)

    def pull(_: int) -> int:
        with worker(syncing.warehouse) as budget, BulkLookup(config, permits=budget) as bulk:
            return sum(each.customer is not None for each in bulk.look_up(lookups))

    def ask(_: int) -> int:
        with worker(syncing.warehouse) as budget, SyrveClient(config, permits=budget) as client:
            return sum(client.customer_by_id(each.organization_id, each.value).customer_id != "" for each in lookups)

    with ThreadPoolExecutor(4) as threads:
        ends = [threads.submit(job, 0) for job in (pull, pull, ask, ask)]
        assert [each.result() for each in ends] == [len(lookups)] * 4
    assert watch.most <= MOST + 4, "a token may be asked for beside them, by each worker"
    assert watch.most >= 2
