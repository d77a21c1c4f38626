"""The receiver of webhooks under load: notifications at a steady rate, with kills and restarts in the middle if so asked."""

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
import psycopg2
import uvloop

from benchmarks.bench_server import bench_server
from benchmarks.measure import Promise
from syrve.signals.secret_book import add_secret
from syrve.signals.secrets import new_secret
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text

ORGANIZATION = "2e000000-0000-4000-8000-000000000001"
SECRET = new_secret()
CONNECTIONS = 64
"""A sender that never has more calls under way than this waits where the receiver is slow, as a real one would."""
TRIES = 200


@dataclass
class Load:
    """What was sent and how it was answered; latencies are seconds from when a notification was due, waits of the sender included.

    `seconds` is the time from the first that was due to the last answer.
    """

    latencies: list[float] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    repeats: int = 0
    seconds: float = 0.0

    async def reaches(self, count: int) -> None:
        """Wait until a number were taken."""
        while len(self.taken) < count:
            await asyncio.sleep(0.005)

    def percentile(self, share: float) -> float:
        return sorted(self.latencies)[int(share * (len(self.latencies) - 1))]


class ReceiverProcess:
    """The receiver as a process that can be killed and started again on its port."""

    def __init__(self, dsn: str, log: Path) -> None:
        self._environment = {**os.environ, "SYRVE_SIGNALS_DSN": dsn, "PYTHONUNBUFFERED": "1"}
        self._log = log
        self._port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        command = [sys.executable, "-m", "syrve.signals", "serve", "--port", str(self._port)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, stderr=log)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().split()[-1]
        self.process.stdout.close()
        self._port = int(self.url.split(":")[2].split("/")[0])

    def cpu_seconds(self) -> float:
        """Return the processor time that it has spent so far."""
        assert self.process is not None
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def kill(self) -> None:
        """End it as a machine does that loses power."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)


def notification(number: int) -> tuple[str, bytes]:
    """A notification that is like no other, and the id of its customer."""
    customer_id = str(uuid.uuid4())
    body = {
        "id": str(uuid.uuid4()),
        "customerId": customer_id,
        "phone": f"+7975{number % 10_000_000:07d}",
        "organizationId": ORGANIZATION,
        "uocId": ORGANIZATION,
        "walletId": str(uuid.uuid4()),
        "sum": 12.5,
        "balance": number,
        "transactionType": "RefillWalletFromOrder",
        "notificationType": 1,
        "changedOn": "2026-11-28T09:00:00.000Z",
        "subscriptionPassword": SECRET,
    }
    return customer_id, json.dumps(body).encode()


async def send(url: str, rate: float, count: int, meanwhile: Callable[[Load], Awaitable[None]] | None = None) -> Load:
    """Send a number of notifications at a rate; what is not answered with 200 is sent again until it is."""
    load = Load()
    notifications = [notification(number) for number in range(count)]
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def one(number: int, due: float) -> None:
            customer_id, body = notifications[number]
            for _ in range(TRIES):
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with session.post(url, data=body) as answer:
                        await answer.read()
                        if answer.status == 200:
                            load.latencies.append(time.perf_counter() - due)
                            load.taken.add(customer_id)
                            return
                load.repeats += 1
                await asyncio.sleep(0.1)
            raise AssertionError("a notification was never taken")

        async with asyncio.TaskGroup() as group:
            if meanwhile is not None:
                group.create_task(_awaited(meanwhile(load)))
            started = time.perf_counter()
            # One after the other as they fall due: to make all tasks at once takes the sender most of a second, in which it sends nothing.
            for number in range(count):
                due = started + number / rate
                if (early := due - time.perf_counter()) > 0:
                    await asyncio.sleep(early)
                group.create_task(one(number, due))
        load.seconds = time.perf_counter() - started
    return load


async def _awaited(something: Awaitable[None]) -> None:
    await something


def sending(url: str, rate: float, count: int) -> Load:
    """Send on a fast event loop, and without looking for garbage in what is older: the sender shares the machine with what it measures."""
    gc.freeze()
    try:
        return uvloop.run(send(url, rate, count))
    finally:
        gc.unfreeze()


def kept(dsn: str) -> list[str]:
    """The customers of all signals that are in the warehouse, as often as they are."""
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("select customer_id::text from sync.signal")
        return [customer_id for (customer_id,) in cursor.fetchall()]


def let_in(dsn: str) -> None:
    """Put the secret of the sender into a warehouse."""
    add_secret(Warehouse(url_from_text(dsn)), ORGANIZATION, SECRET)


def run(*, quick: bool) -> list[Promise]:
    """One minute at 1,000 a second into one process; sender, receiver and Postgres share the machine."""
    seconds = 3 if quick else 60
    with bench_server() as here:
        dsn = here.fresh_database("signals", migrated=True)
        let_in(dsn)
        receiver = ReceiverProcess(dsn, here.home / "receiver.log")
        receiver.start()
        try:
            sending(receiver.url, 200, 400)  # so that nothing is measured for the first time
            before = (receiver.cpu_seconds(), here.cpu_seconds())
            load = sending(receiver.url, 1_000, 1_000 * seconds)
            spent = [now - then for now, then in zip((receiver.cpu_seconds(), here.cpu_seconds()), before, strict=True)]
        finally:
            receiver.stop()
        found = kept(dsn)
    lost = len(load.taken - set(found))
    print(f"  {len(load.taken):,} taken, {lost} lost, {load.repeats} repeats")
    thousands = len(load.taken) / 1_000
    print(f"  {len(load.taken) / load.seconds:,.0f} a second of 1,000 that were due")
    print(f"  processor seconds per 1,000: receiver {spent[0] / thousands:.3f}, Postgres {spent[1] / thousands:.3f}")
    print(f"  median {1000 * load.percentile(0.5):.1f} ms, 99th percentile {1000 * load.percentile(0.99):.1f} ms")
    return [
        Promise("signals lost at 1,000 a second", float(lost), 0.0, at_least=False, unit=""),
        Promise("99th percentile of a notification", 1000 * load.percentile(0.99), 50.0, at_least=False, unit="ms"),
    ]
