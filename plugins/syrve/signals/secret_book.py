"""Adds and retires the secrets of senders."""

from __future__ import annotations

from typing import Literal

from syrve.signals.secrets import hash_of
from syrve.warehouse.database import Warehouse
from syrve.warehouse.sql_files import sql

Use = Literal["webhooks", "notifications"]
USES: tuple[Use, ...] = ("webhooks", "notifications")


def add_secret(warehouse: Warehouse, organization_id: str, secret: str, *, used_for: Use = "webhooks") -> None:
    """Let a secret speak for an organization; one that was retired comes into force again. Raises `WarehouseError`."""
    values = {"organization_id": organization_id, "secret_hash": hash_of(secret), "used_for": used_for}
    with warehouse.transaction("add a secret of senders") as cursor:
        cursor.execute(sql("signals/add_secret.sql"), values)


def retire_secrets(
    warehouse: Warehouse, organization_id: str, *, used_for: Use = "webhooks", in_seconds: int = 0
) -> int:
    """Retire the secrets of an organization for one use, but for the newest; returns how many. Raises `WarehouseError`.

    Those for the other use stay: another sender has them.
    """
    values = {"organization_id": organization_id, "used_for": used_for, "in_seconds": in_seconds}
    with warehouse.transaction("retire secrets of senders") as cursor:
        cursor.execute(sql("signals/retire_secrets.sql"), values)
        return cursor.rowcount


def hashes_of(warehouse: Warehouse, organization_id: str) -> frozenset[bytes]:
    """Return the hashes of an organization's secrets in force. Raises `WarehouseError`."""
    with warehouse.transaction("read the secrets of senders") as cursor:
        cursor.execute(sql("signals/secrets.sql"))
        return frozenset(bytes(secret_hash) for found, secret_hash in cursor.fetchall() if found == organization_id)
