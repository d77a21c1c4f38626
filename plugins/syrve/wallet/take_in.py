"""Takes many operations into the ledger at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from syrve.wallet.operations import Basis, Operation, State, imported_operation_id
from syrve.warehouse.copy_text import copy_line, copy_lines, json_text
from syrve.warehouse.database import Connection, Cursor, fetch_one, transaction
from syrve.warehouse.sql_files import sql

_COLUMNS = (
    "place",
    "operation_id",
    "kind",
    "organization_id",
    "customer_id",
    "wallet_id",
    "amount",
    "order_id",
    "hold_id",
    "comment",
    "source",
    "requested_at",
    "consumes_hold",
    "idempotency_key",
    "fingerprint",
    "refund_of",
    "state",
    "evidence",
    "basis",
)


@dataclass(frozen=True, slots=True)
class Reported:
    """An operation with the state to take it in with; `place` is the caller's number of it."""

    place: int
    operation: Operation
    state: State
    evidence: Mapping[str, Any] = field(default_factory=dict)
    basis: Basis = "report"


@dataclass(frozen=True, slots=True)
class TakenIn:
    """The outcome: how many were new, how many known ones moved on, and which places were refused for what."""

    added: int
    progressed: int
    conflicts: Mapping[int, str]


def prepare(connection: Connection) -> None:
    """Create the staging tables of this connection."""
    with transaction(connection, "prepare staging") as cursor:
        cursor.execute(sql("wallet/staging.sql"))


def take_in(cursor: Cursor, reported: Iterable[Reported]) -> TakenIn:
    """Import operations, in the caller's transaction; each needs a `requested_at`. What the ledger has already is not imported again."""
    lines = [copy_line(_line(each)) for each in reported]
    cursor.execute("truncate staging_operation")
    copy_lines(cursor, "staging_operation", _COLUMNS, lines)
    cursor.execute("analyze staging_operation")
    cursor.execute(sql("wallet/erased.sql"))
    contested = dict(cursor.fetchall())
    cursor.execute(sql("wallet/contested.sql"))
    contested |= dict(cursor.fetchall())
    cursor.execute(sql("wallet/other_holds.sql"))
    contested |= dict(cursor.fetchall())
    cursor.execute(sql("wallet/take_in.sql"))
    added: int = fetch_one(cursor)[0]
    cursor.execute(sql("wallet/conflicts.sql"))
    conflicts = dict(cursor.fetchall())
    cursor.execute("delete from staging_operation where place = any(%s)", (list(conflicts),))
    cursor.execute(sql("wallet/progress.sql"))
    return TakenIn(added, fetch_one(cursor)[0], contested | conflicts)


def _line(reported: Reported) -> tuple[object, ...]:
    one = reported.operation
    return (
        reported.place,
        one.operation_id or imported_operation_id(one.source, one.key),
        one.kind,
        one.organization_id,
        one.customer_id,
        one.wallet_id,
        one.amount,
        one.order_id,
        one.hold_id,
        one.comment,
        one.source,
        one.requested_at,
        one.consumes_hold,
        one.key,
        one.fingerprint,
        one.refund_of,
        reported.state,
        json_text(dict(reported.evidence)) if reported.evidence else "{}",
        reported.basis,
    )
