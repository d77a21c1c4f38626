"""Listening on a socket, from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import os
import signal
import sys
from pathlib import Path

import uvloop

from syrve_simulator.application import Simulator
from syrve_simulator.front_door import FrontDoor
from syrve_simulator.http_protocol import HttpConnection

_BACKLOG = 2048
_FLUSH_SECONDS = 2


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def run(simulator: Simulator) -> None:
    """Serve until SIGTERM or SIGINT (or the end of standard input, if so set). Raises OSError when the port cannot be had."""
    uvloop.run(_serve(simulator))


async def _serve(simulator: Simulator) -> None:
    loop = asyncio.get_running_loop()
    settings = simulator.settings
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if settings.stops_with_stdin:
        loop.add_reader(sys.stdin.fileno(), _watch_stdin, stop)
    connections: set[HttpConnection] = set()
    door = FrontDoor(simulator)
    server = await loop.create_server(
        lambda: HttpConnection(door, connections), settings.host, settings.port, backlog=_BACKLOG
    )
    port = server.sockets[0].getsockname()[1]
    gc.freeze()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    if settings.port_file is not None:
        _write_atomically(settings.port_file, f"{port}\n")
    sys.stdout.write(
        f"Syrve simulator ({settings.dialect}): http://{host}:{port}  organizations={settings.organizations}"
        f" customers={settings.customers} seed={settings.seed}\n"
    )
    sys.stdout.flush()
    await stop.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)  # asking twice must not spoil the clean end
    server.close()
    for connection in list(connections):
        connection.stop()
    with contextlib.suppress(TimeoutError):  # a client that does not read loses the rest of its answer
        await asyncio.wait_for(_all_closed(connections), _FLUSH_SECONDS)


async def _all_closed(connections: set[HttpConnection]) -> None:
    # uvloop's Server.wait_closed() returns immediately, even if something is still being written
    while connections:
        await asyncio.sleep(0.01)


def _watch_stdin(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        stop.set()


def _write_atomically(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)
