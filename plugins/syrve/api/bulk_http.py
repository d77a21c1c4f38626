"""What bulk look-ups need of `aiohttp` and the interpreter beside the protocol: proxy, bodies, headers, and a calm collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

CALM_THRESHOLD = 20_000
MAX_ANSWER_BYTES = 4 * 1024 * 1024
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@contextmanager
def calm_collector() -> Iterator[None]:
    """Look for reference cycles less often while a batch is in work: its many records have none, and looking took a sixth of the time."""
    usual = gc.get_threshold()
    gc.set_threshold(CALM_THRESHOLD, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


async def read_body(response: aiohttp.ClientResponse) -> bytes | None:
    """Read the body; None as soon as it proves too large, whatever length it announces and however it is compressed."""
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
