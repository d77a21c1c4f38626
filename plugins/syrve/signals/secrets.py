"""Which secrets open which organizations: known by their hashes only, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import secrets as random_secrets
from collections.abc import Iterable

MAX_SECRET_LENGTH = 512
MIN_SECRET_LENGTH = 24


def new_secret() -> str:
    """Return a random secret of 256 bits, to be shown once."""
    return random_secrets.token_urlsafe(32)


def is_sendable(secret: str) -> bool:
    """Tell whether a header can carry a secret unchanged, and the receiver takes one of its length."""
    return len(secret) <= MAX_SECRET_LENGTH and secret.isascii() and secret.isprintable() and " " not in secret


def hash_of(secret: str) -> bytes:
    """Return what is kept of a secret. A plain hash is enough because secrets are random, not chosen by people."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def secret_in_header(header: str | None) -> str | None:
    """Return the secret of an `Authorization` header, with or without the word Bearer before it; None if there is none."""
    text = (header or "").strip()
    scheme, _, rest = text.partition(" ")
    if scheme.lower() == "bearer":
        text = rest.strip()
    return text or None


class Secrets:
    """The secrets in force. A look-up goes by a keyed hash of the hash, whose key is random: its time reveals nothing about a secret."""

    def __init__(self, hashes: Iterable[tuple[str, bytes]] = ()) -> None:
        self._key = random_secrets.token_bytes(32)
        self._opened: dict[bytes, set[str]] = {}
        for organization_id, secret_hash in hashes:
            self._opened.setdefault(self._place(secret_hash), set()).add(organization_id)

    def __len__(self) -> int:
        return len(self._opened)

    def organizations_of(self, secret: str | None) -> frozenset[str]:
        """Return the organizations that a secret speaks for: none for an unknown one."""
        if not secret or len(secret) > MAX_SECRET_LENGTH:
            return frozenset()
        return frozenset(self._opened.get(self._place(hash_of(secret)), ()))

    def _place(self, secret_hash: bytes) -> bytes:
        return hmac.digest(self._key, secret_hash, "sha256")
