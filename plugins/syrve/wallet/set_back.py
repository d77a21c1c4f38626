"""Finds in Syrve's report what a ledger that was set back no longer knows that it sent (dialect `cloud`).

A restore, or a failover that lost its tail, takes operations out of the ledger; once a person has lifted the fence their callers ask for
them again. The id of an operation follows from the ledger, its source, its key and its content, so that the one that was lost had the id
that it gets again, and the row of the report names it. So for a month after such a fence was lifted the report is read before each call:
what it shows is recorded, and not sent.

The lost operation may have been another attempt, or the other one of a payment's two steps that charge: each of these is looked for.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from syrve.api.client import SyrveClient
from syrve.api.errors import UnsupportedByDialect
from syrve.wallet.operations import Operation, OperationState, imported_operation_id
from syrve.wallet.reported import evidence_of, shows
from syrve.warehouse.database import Connection, Cursor, fetch_one, transaction
from syrve.warehouse.sql_files import sql

log = logging.getLogger(__name__)

REASON = "made_before_a_restore"
LOOK_DAYS = 30
_MOST_ATTEMPTS = 20
_ATTEMPT = re.compile(r":[0-9]+$")
_CHARGES = (":charge", ":charge_after_cancel")


def ledger_id(cursor: Cursor) -> str:
    """Return the id of the ledger, which its backups keep."""
    cursor.execute("select ledger_id::text from wallet.ledger")
    return str(fetch_one(cursor)[0])


def operation_id_of(ledger: str, operation: Operation | OperationState, key: str) -> str:
    """Return the id that an operation of ours has under a key, in this ledger and in any copy of it."""
    amount = None if operation.amount is None else format(operation.amount.normalize(), "f")
    whose = (operation.organization_id, operation.customer_id, operation.wallet_id, amount)
    return str(uuid5(UUID(ledger), "\n".join(map(str, (operation.source, key, operation.kind, *whose)))))


def made_before(
    connection: Connection, client: SyrveClient, operation: OperationState, *, skew_seconds: float
) -> dict[str, Any] | None:
    """Return the evidence that an operation was made before the ledger was set back; None if the ledger was not, or it was not.

    Raises a `SyrveError` if the report can't be read: then it is not known.
    """
    with transaction(connection, "read whether the ledger was set back") as cursor:
        cursor.execute(sql("wallet/set_back_since.sql"), {"days": LOOK_DAYS})
        since, now, ledger = fetch_one(cursor)
    if since is None or operation.customer_id is None:
        return None
    skew = timedelta(seconds=skew_seconds)
    whose = (operation.organization_id, operation.customer_id)
    try:
        report = list(client.transactions_by_date(*whose, since - skew, now + skew))
    except UnsupportedByDialect:
        return None
    for twin in _twins(ledger, operation):
        if shown := [each for each in report if shows(replace(operation, operation_id=twin), each)]:
            log.warning("Operation %s is not sent: the report shows that it was made before", operation.operation_id)
            sent_as = twin if operation.kind == "hold" and client.config.capabilities.names_holds else None
            return evidence_of(operation, shown, sent_as) | {"made_as": twin}
    return None


def _twins(ledger: str, operation: OperationState) -> Iterator[str]:
    """Give the ids that the same movement may have had: its own first, then those of its other attempts."""
    yield operation.operation_id
    is_imported = operation.operation_id == imported_operation_id(operation.source, operation.key)
    step = _ATTEMPT.sub("", operation.key)
    steps = {step}
    for this, other in (_CHARGES, _CHARGES[::-1]):
        if operation.source == "payment" and step.endswith(this):
            steps.add(step.removesuffix(this) + other)
    for key in (f"{each}:{number}" for each in sorted(steps) for number in range(1, _MOST_ATTEMPTS + 1)):
        yield imported_operation_id(operation.source, key) if is_imported else operation_id_of(ledger, operation, key)
