"""The ledger of wallet operations: what we mean to do is committed before the call, the outcome right after."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import Binary

from syrve.wallet.errors import LedgerConflict, LedgerFenced, WalletError
from syrve.wallet.operations import Basis, Operation, OperationState, State
from syrve.wallet.set_back import ledger_id, operation_id_of
from syrve.warehouse.copy_text import json_text
from syrve.warehouse.database import Connection, Cursor, Warehouse, fetch_one, transaction
from syrve.warehouse.locks import drop_lock, take_lock
from syrve.warehouse.sql_files import sql

NAMED_ANOTHER_HOLD = "answer_names_another_hold"
FENCED = "SY005"
"""What the database says while a fence is closed."""

_HOLDS_LOCKED: ContextVar[frozenset[tuple[int, str]]] = ContextVar("holds_locked", default=frozenset())
"""Holds whose lock this thread of this process has."""


@dataclass(frozen=True, slots=True)
class HoldEnd:
    """How a hold ended: `by` is rejected, cancelled or consumed, `operation_id` what ended it."""

    by: str
    basis: Basis | None
    operation_id: str | None

    @property
    def is_certain(self) -> bool:
        """Whether more than a balance shows it: only then may another money call rest on it."""
        return self.basis != "balance"


class Ledger:
    """Reads and writes the ledger of one warehouse; each method is one separate transaction. Raises `WarehouseError`."""

    def __init__(self, warehouse: Warehouse, *, amount_scale: int | None = 2) -> None:
        self.warehouse = warehouse
        self._amount_scale = amount_scale

    def plan(self, operation: Operation) -> OperationState:
        """Write an operation down as planned, and commit; one of the same source, key and content is returned as it is.

        Raises `LedgerConflict` if the key is taken by other content, `UnusableOperation` if it can't be imported.
        """
        return self._take_in(operation, "planned", {}, None)

    def observe(
        self, operation: Operation, state: State, evidence: Mapping[str, Any], *, basis: Basis = "report"
    ) -> OperationState:
        """Record what others did, with what is known of its outcome; otherwise like `plan`. It is never sent."""
        if state == "planned":
            raise WalletError("what others did can't be planned")
        return self._take_in(operation, state, evidence, basis)

    def check(self, operation: Operation) -> None:
        """Raise `UnusableOperation` if the operation could not be imported."""
        operation.checked(self._amount_scale)

    def state(self, operation_id: str, connection: Connection | None = None) -> OperationState:
        """Read an operation; raises `WalletError` if there is none of that id."""
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
        basis: Basis = "answer",
        correlation_id: str | None = None,
        connection: Connection | None = None,
    ) -> OperationState:
        """Add the event that follows the state in which the operation was read, commit, and return it as it is then.

        If another process has added an event since, nothing is added and that event is returned. An answer that names another hold of ours
        is no outcome: it is recorded as unknown.
        """
        values = {
            "operation_id": operation.operation_id,
            "after": operation.sequence,
            "state": state,
            "correlation_id": correlation_id,
            "evidence": json_text(dict(evidence)),
            "basis": basis,
            "occurred_at": None,
        }
        with self._transaction(f"record that an operation is {state}", connection) as cursor:
            if operation.kind == "hold" and self._is_of_another_hold(cursor, operation.operation_id, evidence):
                values |= {"state": "unknown", "evidence": json_text(named_another_hold(evidence["transaction_id"]))}
            if (operation.state, values["state"]) != ("unknown", "unknown"):
                cursor.execute(sql("wallet/event.sql"), values)
            found = self._read(cursor, operation_id=operation.operation_id)
        assert found is not None
        return found

    def _is_of_another_hold(self, cursor: Cursor, operation_id: str, evidence: Mapping[str, Any]) -> bool:
        if "transaction_id" not in evidence:
            return False
        values = {"hold_id": operation_id, "transaction_id": evidence["transaction_id"]}
        cursor.execute(sql("wallet/is_of_another_hold.sql"), values)
        return bool(fetch_one(cursor)[0])

    def transaction_id(self, hold_id: str) -> str | None:
        """Return Syrve's id of a hold of the ledger, None if it is not known; a hold that the ledger lacks keeps its own."""
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
        end = self.hold_end(hold_id)
        return None if end is None else end.by

    def hold_end(self, hold_id: str) -> HoldEnd | None:
        """Return how a hold ended, given by either of its ids; None while it is open or was not sent."""
        with self._transaction("look for a hold") as cursor:
            cursor.execute(
                "select closed_by, closed_basis, closing_operation_id::text from wallet.hold "
                "where (hold_id = %(id)s or transaction_id = %(id)s) and closed_at is not null order by hold_id = %(id)s desc limit 1",
                {"id": hold_id},
            )
            row = cursor.fetchone()
        return None if row is None else HoldEnd(*row)

    def cancel_is_unknown(self, hold_id: str) -> bool:
        """Return whether a cancellation of the hold was sent, by anyone, whose outcome is not known."""
        with self._transaction("look for cancellations of a hold") as cursor:
            cursor.execute(
                "select count(*) from wallet.unsettled_operation where kind = 'cancel_hold' and state in ('sent', 'unknown') "
                "and hold_id in (select unnest(array[hold_id, transaction_id]) from wallet.hold "
                "where hold_id = %(id)s or transaction_id = %(id)s)",
                {"id": hold_id},
            )
            return bool(fetch_one(cursor)[0])

    def send(self, operation: OperationState, evidence: Mapping[str, Any], connection: Connection) -> OperationState:
        """Record `sent`, the one place that does, or `rejected` if the operation must not be sent any more; commit, and return it.

        Raises `LedgerFenced` while a fence is closed (see `syrve.wallet.fence`).
        `wallet.refusal_to_send` has the reasons: the hold is closed, another cancellation of it is unknown, the payment has ended or may
        be charged already.
        """
        with self._transaction("record that an operation is sent", connection) as cursor:
            cursor.execute("select wallet.refusal_to_send(%s)", (operation.operation_id,))
            refusal: str | None = fetch_one(cursor)[0]
            values = {
                "operation_id": operation.operation_id,
                "after": operation.sequence,
                "state": "sent" if refusal is None else "rejected",
                "correlation_id": None,
                "evidence": json_text(dict(evidence) if refusal is None else {"reason": refusal}),
                "basis": "answer",
                "occurred_at": None,
            }
            try:
                cursor.execute(sql("wallet/event.sql"), values)
            except psycopg2.Error as refused:
                if refused.pgcode == FENCED:
                    raise LedgerFenced(
                        "no money is moved: the ledger may be older than the world; see wallet.closed_fence"
                    ) from None
                raise
            found = self._read(cursor, operation_id=operation.operation_id)
        assert found is not None
        return found

    @contextmanager
    def alone(self, what: str, *, wait_seconds: float, connection: Connection | None = None) -> Iterator[Connection]:
        """Hold the lock of that name for the block, on the connection given or a separate one; it ends with the process.

        Raises `WarehouseUnavailable`.
        """
        if connection is None:
            with self.warehouse.connect() as own:
                take_lock(own, f"wallet {what}", wait_seconds=wait_seconds, place=what)
                yield own
            return
        take_lock(connection, f"wallet {what}", wait_seconds=wait_seconds, place=what)
        try:
            yield connection
        finally:
            drop_lock(connection, f"wallet {what}", place=what)

    @contextmanager
    def alone_with_hold(
        self, hold_id: str, *, wait_seconds: float, connection: Connection | None = None
    ) -> Iterator[None]:
        """Keep every other process of ours off a hold for the block: payment, release and settling take the same lock.

        The lock that the caller has already is not taken again. Raises `WarehouseUnavailable`.
        """
        name = (os.getpid(), hold_id)
        if name in _HOLDS_LOCKED.get():
            yield
            return
        with self.alone(f"hold {hold_id}", wait_seconds=wait_seconds, connection=connection):
            token = _HOLDS_LOCKED.set(_HOLDS_LOCKED.get() | {name})
            try:
                yield
            finally:
                _HOLDS_LOCKED.reset(token)

    @contextmanager
    def alone_with(self, operation_id: str, *, wait_seconds: float) -> Iterator[tuple[Connection, OperationState]]:
        """Keep every other process of ours off an operation's hold and wallet for the block; gives the operation as it is then."""
        known = self.state(operation_id)
        wallet = known.wallet_id  # through any organization: those of one network share their wallets
        what = f"wallet {known.customer_id} {wallet}" if wallet else f"operation {operation_id}"
        hold_id = self._hold_of(known)
        with self.warehouse.connect() as connection, ExitStack() as stack:
            if hold_id is not None:
                stack.enter_context(self.alone_with_hold(hold_id, wait_seconds=wait_seconds, connection=connection))
            stack.enter_context(self.alone(what, wait_seconds=wait_seconds, connection=connection))
            yield connection, self.state(operation_id, connection)

    def _hold_of(self, operation: OperationState) -> str | None:
        """Return the hold that an operation is, ends or settles, by its operation's id where the ledger has it."""
        if operation.kind == "hold":
            return operation.operation_id
        if operation.hold_id is None:
            return None
        with self._transaction("look for a hold") as cursor:
            cursor.execute(
                "select hold_id::text from wallet.hold where %(id)s in (hold_id, transaction_id) order by hold_id = %(id)s desc limit 1",
                {"id": operation.hold_id},
            )
            row = cursor.fetchone()
        return operation.hold_id if row is None else str(row[0])

    def drop(self, operation_id: str, why: str, *, wait_seconds: float = 60.0) -> OperationState:
        """Give up an operation that was not sent, so that it never will be; one that was is returned as it is."""
        with self.alone_with(operation_id, wait_seconds=wait_seconds) as (connection, operation):
            if operation.state != "planned":
                return operation
            return self.record(operation, "rejected", {"reason": "dropped", "why": why}, connection=connection)

    def _take_in(
        self, operation: Operation, state: State, evidence: Mapping[str, Any], basis: Basis | None
    ) -> OperationState:
        operation.checked(self._amount_scale)
        values = asdict(operation) | {"fingerprint": Binary(operation.fingerprint)}
        with self._transaction("take an operation into the ledger") as cursor:
            values["operation_id"] = operation.operation_id or operation_id_of(
                ledger_id(cursor), operation, operation.key
            )
            cursor.execute(sql("wallet/plan.sql"), values)
            row = cursor.fetchone()
            if row is not None:
                event = {"operation_id": row[0], "after": 0, "state": state, "correlation_id": None}
                event |= {"evidence": json_text(dict(evidence)), "basis": basis, "occurred_at": operation.requested_at}
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
                "use a new key for a new operation, and the same content for the same one"
            )
        return OperationState(*fields)


def named_another_hold(answered_id: str) -> dict[str, str]:
    """Return the evidence of an answer to a hold that can't be this hold's: whether it was made is not known."""
    return {"reason": NAMED_ANOTHER_HOLD, "answered_id": answered_id}
