"""The ledger of wallet operations: what we mean to do is committed before the call, what came of it right after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from psycopg2.extensions import Binary

from syrve.wallet.errors import LedgerConflict, WalletError
from syrve.wallet.operations import Operation, OperationState, State
from syrve.warehouse.copy_text import json_text
from syrve.warehouse.database import Connection, Cursor, Warehouse, transaction
from syrve.warehouse.sql_files import sql


class Ledger:
    """Reads and writes the ledger of one warehouse; each method is one transaction of its own. Raises `WarehouseError`."""

    def __init__(self, warehouse: Warehouse, *, amount_scale: int | None = 2) -> None:
        self.warehouse = warehouse
        self._amount_scale = amount_scale

    def plan(self, operation: Operation) -> OperationState:
        """Write an operation down as planned, and commit; one of the same source, key and content is returned as it is.

        Raises `LedgerConflict` where the key is taken by other content, `UnusableOperation` where it can't be taken in.
        """
        return self._take_in(operation, "planned", {})

    def observe(self, operation: Operation, state: State, evidence: Mapping[str, Any]) -> OperationState:
        """Write down what somebody else did, with what is known of its outcome; otherwise like `plan`. It is never sent."""
        if state == "planned":
            raise WalletError("what others did can't be planned")
        return self._take_in(operation, state, evidence)

    def state(self, operation_id: str, connection: Connection | None = None) -> OperationState:
        """Read an operation; raises `WalletError` where there is none of that id."""
        with self._transaction("read an operation", connection) as cursor:
            found = self._read(cursor, operation_id=operation_id)
        if found is None:
            raise WalletError(f"the ledger has no operation {operation_id}")
        return found

    def find(self, source: str, key: str) -> OperationState | None:
        """Read the operation of a caller's key, if there is one."""
        with self._transaction("look for an operation") as cursor:
            return self._read(cursor, source=source, key=key)

    def record(
        self,
        operation: OperationState,
        state: State,
        evidence: Mapping[str, Any],
        *,
        correlation_id: str | None = None,
        connection: Connection | None = None,
    ) -> OperationState:
        """Add the event that follows the state in which the operation was read, commit, and return it as it is then.

        Where somebody else added an event meanwhile, nothing is added and theirs is returned.
        """
        values = {
            "operation_id": operation.operation_id,
            "after": operation.sequence,
            "state": state,
            "correlation_id": correlation_id,
            "evidence": json_text(dict(evidence)),
            "occurred_at": None,
        }
        with self._transaction(f"record that an operation is {state}", connection) as cursor:
            cursor.execute(sql("wallet/event.sql"), values)
            found = self._read(cursor, operation_id=operation.operation_id)
        assert found is not None
        return found

    def transaction_id(self, hold_id: str) -> str | None:
        """Return Syrve's id of a hold of the ledger, None where it is not known; a hold that the ledger lacks keeps its own."""
        with self._transaction("look for a hold") as cursor:
            cursor.execute(
                "select transaction_id::text from wallet.hold where hold_id = %(id)s or transaction_id = %(id)s",
                {"id": hold_id},
            )
            row = cursor.fetchone()
            if row is not None:
                return None if row[0] is None else str(row[0])
            return hold_id if self._read(cursor, operation_id=hold_id) is None else None

    def hold_ended_by(self, hold_id: str) -> str | None:
        """Return what ended a hold: `rejected`, `cancelled` or `consumed`; None while it is open or was not sent."""
        with self._transaction("look for a hold") as cursor:
            cursor.execute("select closed_by from wallet.hold where hold_id = %s", (hold_id,))
            row = cursor.fetchone()
        return None if row is None else row[0]

    @contextmanager
    def alone(self, what: str, *, wait_seconds: float) -> Iterator[Connection]:
        """Hold the lock of that name for the block, on the connection given; it ends with the process. Raises `WarehouseUnavailable`."""
        with self.warehouse.connect() as connection:
            with transaction(connection, f"wait for another process at {what}") as cursor:
                milliseconds = max(1, int(wait_seconds * 1000))
                cursor.execute("select set_config('lock_timeout', %s, true)", (f"{milliseconds}ms",))
                cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (f"wallet {what}",))
            yield connection

    @contextmanager
    def alone_with(self, operation_id: str, *, wait_seconds: float) -> Iterator[tuple[Connection, OperationState]]:
        """Keep every other process of ours off an operation's wallet for the block; gives the operation as it is then."""
        known = self.state(operation_id)
        whose = f"{known.organization_id} {known.customer_id} {known.wallet_id}"
        what = f"wallet {whose}" if known.wallet_id else f"operation {operation_id}"
        with self.alone(what, wait_seconds=wait_seconds) as connection:
            yield connection, self.state(operation_id, connection)

    def drop(self, operation_id: str, why: str, *, wait_seconds: float = 60.0) -> OperationState:
        """Give up an operation that was not sent, so that it never will be; one that was is returned as it is."""
        with self.alone_with(operation_id, wait_seconds=wait_seconds) as (connection, operation):
            if operation.state != "planned":
                return operation
            return self.record(operation, "rejected", {"reason": "dropped", "why": why}, connection=connection)

    def _take_in(self, operation: Operation, state: State, evidence: Mapping[str, Any]) -> OperationState:
        operation.checked(self._amount_scale)
        values = asdict(operation) | {"fingerprint": Binary(operation.fingerprint)}
        with self._transaction("take an operation into the ledger") as cursor:
            cursor.execute(sql("wallet/plan.sql"), values)
            row = cursor.fetchone()
            if row is not None:
                event = {"operation_id": row[0], "after": 0, "state": state, "correlation_id": None}
                event |= {"evidence": json_text(dict(evidence)), "occurred_at": operation.requested_at}
                cursor.execute(sql("wallet/event.sql"), event)
            found = self._read(cursor, source=operation.source, key=operation.key, fingerprint=operation.fingerprint)
        if found is None:
            raise LedgerConflict(
                f"{operation.kind}: the id {operation.operation_id} is taken by another operation; give a new one"
            )
        return found

    @contextmanager
    def _transaction(self, doing: str, connection: Connection | None = None) -> Iterator[Cursor]:
        if connection is not None:
            with transaction(connection, doing) as cursor:
                yield cursor
        else:
            with self.warehouse.transaction(doing) as cursor:
                yield cursor

    def _read(self, cursor: Cursor, fingerprint: bytes | None = None, **key: str) -> OperationState | None:
        cursor.execute(sql("wallet/state.sql"), {"operation_id": None, "source": None, "key": None} | key)
        row = cursor.fetchone()
        if row is None:
            return None
        *fields, known_fingerprint = row
        if fingerprint is not None and bytes(known_fingerprint or b"") != fingerprint:
            raise LedgerConflict(
                f"the key {key['key']!r} of {key['source']!r} is taken by an operation of other content; "
                "use a new key for a new wish, and the same content for the same one"
            )
        return OperationState(*fields)
