"""Runs the receiver alone: one process that needs the warehouse and nothing of Airflow."""

from __future__ import annotations

import asyncio
import gc
import socket

import uvicorn
import uvloop

from syrve.signals.http_limits import BoundedProtocol
from syrve.signals.receiver import Receiver, create_app
from syrve.signals.store import SignalStore
from syrve.warehouse.database import Warehouse


def serve(warehouse: Warehouse, *, host: str, port: int, region: str) -> None:
    """Receive until SIGTERM or SIGINT; what was begun is answered. With port 0 a free one is taken, and printed."""
    uvloop.run(_serve(warehouse, host, port, region))


async def _serve(warehouse: Warehouse, host: str, port: int, region: str) -> None:
    store = SignalStore(warehouse)
    config = uvicorn.Config(
        create_app(Receiver(store, region=region)),
        http=BoundedProtocol,
        access_log=False,
        log_config=None,
        # Of what strangers send nothing is logged: uvicorn would name the address of a WebSocket, and warn of each request that is no HTTP.
        log_level="error",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=2048) as listening:
        print(f"Receives signals at http://{host}:{listening.getsockname()[1]}/events", flush=True)
        gc.freeze()
        await uvicorn.Server(config).serve(sockets=[listening])
    await asyncio.get_running_loop().run_in_executor(None, store.close)
