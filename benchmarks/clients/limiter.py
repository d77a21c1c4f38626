"""A gateway before the simulator that refuses with 429 whatever exceeds a number of look-ups in any 60 seconds, as a service would.

Arguments: the simulator's URL, the limit, the file that gets the port. `GET /_limiter` tells what passed: count, refusals, the most in any
60 seconds, first and last moment (seconds).
"""

import asyncio
import sys
import time
from collections import deque
from pathlib import Path

import aiohttp
import uvloop
from aiohttp import web

WINDOW_SECONDS = 60.0
LIMITED = "/customer/info"


class Limiter:
    """Counts look-ups in a sliding minute."""

    def __init__(self, url: str, limit: int) -> None:
        self._url = url
        self._limit = limit
        self._recent: deque[float] = deque()
        self._passed = self._refused = self._most = 0
        self._first = self._last = 0.0

    def admits(self, now: float) -> bool:
        """Count a look-up that arrived; False where it is one too many."""
        while self._recent and self._recent[0] <= now - WINDOW_SECONDS:
            self._recent.popleft()
        if len(self._recent) >= self._limit:
            self._refused += 1
            return False
        self._recent.append(now)
        self._passed += 1
        self._most = max(self._most, len(self._recent))
        self._first = self._first or now
        self._last = now
        return True

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """Send a request on, or refuse it."""
        if request.path.endswith(LIMITED) and not self.admits(time.monotonic()):
            return web.json_response({"errorDescription": "too many"}, status=429, headers={"Retry-After": "1"})
        headers = {name: value for name, value in request.headers.items() if name in ("Authorization", "Content-Type")}
        async with self._session.post(self._url + request.path, data=await request.read(), headers=headers) as answer:
            return web.Response(body=await answer.read(), status=answer.status, content_type="application/json")

    async def tell(self, _: web.Request) -> web.Response:
        """Tell what was counted."""
        names = ("passed", "refused", "most", "first", "last")
        return web.json_response({name: getattr(self, f"_{name}") for name in names})

    async def open(self, application: web.Application) -> None:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        application.on_cleanup.append(self.close)

    async def close(self, _: web.Application) -> None:
        await self._session.close()


async def serve(url: str, limit: int, port_file: Path) -> None:
    limiter = Limiter(url, limit)
    application = web.Application()
    application.router.add_get("/_limiter", limiter.tell)
    application.router.add_post("/{path:.*}", limiter.pass_on)
    application.on_startup.append(limiter.open)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    written = port_file.with_suffix(".new")
    written.write_text(str(runner.addresses[0][1]))
    written.rename(port_file)
    await asyncio.to_thread(sys.stdin.read)  # until whoever started this lets go
    await runner.cleanup()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
