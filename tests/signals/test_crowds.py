"""However many strangers hold connections and bodies open, proven senders are served."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from signals.conftest import SECRETS, RunningReceiver
from signals.shapes import ONE, TWO, balance_notification, order_event
from syrve.signals import http_limits
from syrve.signals.errors import Refused
from syrve.signals.events import Event, Item, read_events
from syrve.signals.http_limits import BoundedProtocol
from syrve.signals.keeping import Received
from syrve.signals.limits import AtOnce, Places, ReceiverLimits
from syrve.signals.receiver import Receiver, create_app
from syrve.signals.secrets import hash_of

UNFINISHED = b"POST /events HTTP/1.1\r\nHost: receiver\r\nContent-Length: 60000\r\n\r\n{"


def test_slow_strangers_take_no_place_of_proven_senders(
    receiver: RunningReceiver, query: Callable[..., list[tuple[Any, ...]]]
) -> None:
    host, _, port = receiver.url.split("/")[2].partition(":")
    with ExitStack() as open_ones:
        for _ in range(ReceiverLimits().requests_at_once + 50):
            stranger = open_ones.enter_context(socket.create_connection((host, int(port)), timeout=10))
            stranger.sendall(UNFINISHED)
        # Those before have been read when this one is answered.
        receiver.post([{"eventType": "Odd", "organizationId": ONE, "eventInfo": {}}], "a guess")

        answers = [
            receiver.post([order_event()], SECRETS[ONE]).status_code,
            receiver.post(balance_notification(password=SECRETS[ONE])).status_code,
        ]

    assert answers == [200, 200]
    assert query("select count(*) from sync.signal") == [(2,)]


def test_slow_bodies_of_one_organization_take_no_place_of_another(
    receiver: RunningReceiver, query: Callable[..., list[tuple[Any, ...]]]
) -> None:
    host, _, port = receiver.url.split("/")[2].partition(":")
    unfinished = UNFINISHED.replace(b"\r\n\r\n", f"\r\nAuthorization: {SECRETS[ONE]}\r\n\r\n".encode())
    with ExitStack() as open_ones:
        for _ in range(ReceiverLimits().requests_at_once + 50):
            slow = open_ones.enter_context(socket.create_connection((host, int(port)), timeout=10))
            slow.sendall(unfinished)
        receiver.post([{"eventType": "Odd", "organizationId": ONE, "eventInfo": {}}], "a guess")

        answers = [receiver.post([order_event(each)], SECRETS[each]).status_code for each in (TWO, ONE)]

    assert answers == [200, 200]
    assert query("select count(*) from sync.signal") == [(2,)]


async def test_newcomer_takes_the_place_of_the_slowest() -> None:
    places, ended = Places(2), []

    async def wait(name: str) -> None:
        try:
            async with places.one(30):
                await asyncio.Event().wait()
        except TimeoutError:
            ended.append(name)

    async with asyncio.TaskGroup() as group:
        tasks = []
        for name in ("first", "second", "third"):
            tasks.append(group.create_task(wait(name)))
            await asyncio.sleep(0)
        await tasks[0]
        assert ended == ["first"]
        async with places.one(30):
            await tasks[1]
        for task in tasks:
            task.cancel()

    assert ended == ["first", "second"]


async def test_place_is_free_again_after_its_time() -> None:
    places = Places(1)
    with pytest.raises(TimeoutError):
        async with places.one(0):
            await asyncio.Event().wait()

    async with places.one(30):
        pass


def test_one_too_many_at_once_is_refused() -> None:
    at_once = AtOnce(1)
    with at_once.one(), pytest.raises(Refused), at_once.one():
        pass
    with at_once.one():
        pass


@asynccontextmanager
async def small_server(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server for four connections that answers everything with 200; gives its port."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    monkeypatch.setattr(http_limits, "MAX_CONNECTIONS", 4)
    config = uvicorn.Config(app, http=BoundedProtocol, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await running


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHos", b"GET / HTTP/1.1\r\nHost: receiver\r\n\r\n"])
async def test_idle_connection_gives_its_place_to_a_new_one(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    async with small_server(monkeypatch) as port:
        strangers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(12)]
        for _, writer in strangers:
            writer.write(sent)

        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: receiver\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 30)

        for _, each in [*strangers, (reader, writer)]:
            each.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert http_limits.BoundedProtocol._without_request == {}


def test_too_many_events_of_one_organization_are_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    class Store:
        async def keep(self, events: Received) -> None: ...

        async def secrets(self) -> list[tuple[str, bytes]]:
            return [(each, hash_of(secret)) for each, secret in SECRETS.items()]

    reads: list[int] = []

    def read(items: Sequence[Item], *, region: str) -> list[Event]:
        reads.append(len(items))
        return read_events(items, region=region)

    monkeypatch.setattr("syrve.signals.receiver.read_events", read)
    client = TestClient(create_app(Receiver(Store(), region="RU", clock=lambda: 100.0)))

    def post(organization_id: str) -> int:
        return client.post(
            "/events", json=[{"eventType": "Odd"}] * 1_000, headers={"Authorization": SECRETS[organization_id]}
        ).status_code

    assert [post(ONE), post(ONE), post(ONE), post(TWO)] == [200, 200, 429, 200]
    assert reads == [1_000] * 3
