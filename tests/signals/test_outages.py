"""Load, kills and restarts: what was answered with 200 is there once, and what was sent again does no harm."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from benchmarks.signals import SECRET, Load, ReceiverProcess, kept, let_in, notification, send

from devstack.postgres import PostgresServer
from fixtures.postgres import DurableServer, running_server
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.migrate import migrate

NUMBER, RATE = 1_200, 400


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    with running_server(DurableServer) as server:
        server.create_database("warehouse")
        migrate(url_from_text(server.dsn("warehouse")))
        yield server


@pytest.fixture
def receiver(own_server: PostgresServer, tmp_path: Path) -> Iterator[ReceiverProcess]:
    dsn = own_server.dsn("warehouse")
    let_in(dsn)
    process = ReceiverProcess(dsn, tmp_path / "receiver.log")
    process.start()
    yield process
    process.stop()


def check(server: PostgresServer, load: Load) -> None:
    found = Counter(kept(server.dsn("warehouse")))
    assert len(load.taken) == NUMBER
    assert [each for each in load.taken if found[each] != 1] == []


def test_signals_at_a_steady_rate_are_there_once(own_server: PostgresServer, receiver: ReceiverProcess) -> None:
    load = asyncio.run(send(receiver.url, RATE, NUMBER))

    check(own_server, load)
    assert load.repeats == 0


def test_receiver_that_is_killed_loses_nothing(own_server: PostgresServer, receiver: ReceiverProcess) -> None:
    async def kill_twice(load: Load) -> None:
        for count in (NUMBER // 4, NUMBER // 2):
            await load.reaches(count)
            await asyncio.to_thread(receiver.kill)
            await asyncio.to_thread(receiver.start)

    load = asyncio.run(send(receiver.url, RATE, NUMBER, kill_twice))

    check(own_server, load)
    assert load.repeats > 0


def test_restart_of_postgres_loses_nothing(own_server: PostgresServer, receiver: ReceiverProcess) -> None:
    async def restart(load: Load) -> None:
        await load.reaches(NUMBER // 4)
        await asyncio.to_thread(own_server.stop)
        await asyncio.to_thread(own_server.start)

    load = asyncio.run(send(receiver.url, RATE, NUMBER, restart))

    check(own_server, load)
    assert load.repeats > 0


def test_flood_of_bad_requests_grows_nothing(own_server: PostgresServer, receiver: ReceiverProcess) -> None:
    import aiohttp

    assert receiver.process is not None
    memory = psutil.Process(receiver.process.pid)
    before_count = len(kept(own_server.dsn("warehouse")))
    bodies = [
        notification(number)[1].replace(SECRET.encode(), b"wrong-secret-of-a-stranger-0000") for number in range(50)
    ]

    async def flood(requests: int) -> Counter[int]:
        statuses: Counter[int] = Counter()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:

            async def one(number: int) -> None:
                headers = {"Authorization": f"guess-{number}"} if number % 2 else {}
                async with session.post(receiver.url, data=bodies[number % len(bodies)], headers=headers) as answer:
                    statuses[answer.status] += 1

            for start in range(0, requests, 500):
                await asyncio.gather(*(one(start + number) for number in range(500)))
        return statuses

    asyncio.run(flood(3_000))
    settled = memory.memory_info().rss
    statuses = asyncio.run(flood(10_000))

    assert statuses == {401: 10_000}
    assert memory.memory_info().rss < settled + 8_000_000
    assert len(kept(own_server.dsn("warehouse"))) == before_count
