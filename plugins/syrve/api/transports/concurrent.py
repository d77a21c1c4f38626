"""Carries many calls at a time with `aiohttp`, on the caller's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from syrve.api.config import CONNECT_TIMEOUT_SECONDS, SyrveConfig
from syrve.api.protocol import Answer, Fault, FaultKind, Request

T = TypeVar("T")
MAX_ANSWER_BYTES = 4 * 1024 * 1024
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class ConcurrentTransport:
    """Sends up to `config.max_concurrency` requests at a time between `open` and `close`."""

    def __init__(self, config: SyrveConfig) -> None:
        self._config = config

    async def open(self) -> None:
        """Open the connections, on the running event loop."""
        connector = aiohttp.TCPConnector(limit=self._config.max_concurrency, keepalive_timeout=30)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(
                total=self._config.timeout_seconds,
                sock_connect=min(self._config.timeout_seconds, CONNECT_TIMEOUT_SECONDS),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),  # the service uses none, and looking for them costs time at every request
            proxy=proxy_for(self._config.base_url),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    def lock(self) -> asyncio.Lock:
        """Return a new lock between tasks."""
        return asyncio.Lock()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def ask(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call the function in a thread; what it took is not lost halfway if the call is cancelled."""
        return await asyncio.shield(asyncio.to_thread(function, *arguments))

    async def send(self, request: Request) -> Answer | Fault:
        """Send one request, once."""
        try:
            response = await self._session.post(
                request.url, data=request.body, headers=request.headers, allow_redirects=False
            )
            try:
                body = await read_body(response)
            finally:
                response.release()  # for other requests; closes the connection where the answer was not read to its end
            if body is None:
                return Fault(FaultKind.TOO_LARGE)
            return Answer(response.status, headers_of(response), body)
        except aiohttp.ConnectionTimeoutError:
            return Fault(FaultKind.REFUSED)
        except TimeoutError:
            return Fault(FaultKind.TIMEOUT)
        except aiohttp.ClientConnectorCertificateError:
            return Fault(FaultKind.UNTRUSTED)
        except aiohttp.ClientConnectorError:
            return Fault(FaultKind.REFUSED)
        except aiohttp.ClientPayloadError:
            return Fault(FaultKind.CUT_SHORT)
        except (aiohttp.ClientError, OSError):
            return Fault(FaultKind.RESET)


async def read_body(response: aiohttp.ClientResponse) -> bytes | None:
    """Read the body; None as soon as it proves too large, independent of the length it announces and of its compression."""
    content = response.content
    body = await content.readany()
    while not content.at_eof():
        body += await content.readany()
        if len(body) > MAX_ANSWER_BYTES:
            return None
    return body


def proxy_for(base_url: str) -> str | None:
    """Read the environment's proxy once: aiohttp's `trust_env` reads it for every request, and lets a .netrc replace the token."""
    parts = urlsplit(base_url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def headers_of(response: aiohttp.ClientResponse) -> Mapping[str, str]:
    """Copy the headers of a refusal (`Retry-After`); doing so for every good answer would only cost time."""
    return {name.lower(): value for name, value in response.headers.items()} if response.status >= 300 else _NO_HEADERS
