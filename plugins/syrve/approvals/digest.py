"""The digest of what is approved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal


def digest_of(heading: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Return the SHA-256, in hex, of a heading and of rows in their order; equal amounts count as equal however many zeros they end in."""
    content = hashlib.sha256()
    for row in (heading, *rows):
        content.update(json.dumps([_plain(each) for each in row], ensure_ascii=False).encode())
        content.update(b"\n")
    return content.hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value if value is None or isinstance(value, (int, str)) else str(value)
