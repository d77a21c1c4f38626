"""Imports what tills, sites and apps did: holds, charges, cancellations and order states. The contract is in docs/wallet.md."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from syrve.sources.bad_rows import BadRows
from syrve.sources.columns import Columns
from syrve.sources.errors import BadRow
from syrve.sources.rejects import ImportRejects, Place
from syrve.sources.row import Row
from syrve.sources.source import Chunk, as_source
from syrve.wallet.errors import UnusableOperation
from syrve.wallet.import_trial import Trial
from syrve.wallet.operations import KINDS, STATES, Kind, Operation, State, amount_problem, imported_operation_id
from syrve.wallet.orders import ORDER_STATES
from syrve.wallet.take_in import Reported, prepare, take_in
from syrve.warehouse.copy_text import copy_line, copy_lines
from syrve.warehouse.database import Connection, Cursor, Warehouse
from syrve.warehouse.runs import Counts, TaskKey, add_counts
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging
from syrve.warehouse.trial import transaction_or_trial

_NAMES = (
    "record",
    "organization_id",
    "key",
    "customer_id",
    "wallet_id",
    "amount",
    "order_id",
    "hold_id",
    "state",
    "occurred_at",
    "consumes_hold",
    "refund_of",
)
COLUMNS = Columns(_NAMES, needed=("record", "occurred_at"), listed=frozenset(_NAMES), are_facts=True)
"""A query of a form types none of them, because no person approves a row."""
RECORDS = (*KINDS, "order")
MAX_AHEAD = timedelta(minutes=10)
"""How far a reporter's clock may be ahead of ours, as `wallet.clock_skew()`."""
MAX_AGE = timedelta(days=30 * 365)
ENTITY = "wallet_operation"
SHOWN = ("key", "hold_id", "customer_id", "order_id")
_ORDER_COLUMNS = ("organization_id", "order_id", "state", "amount", "state_at", "source", "turn")


@dataclass(frozen=True, slots=True)
class _Order:
    organization_id: str
    order_id: str
    state: str
    amount: Decimal | None
    state_at: datetime


class WalletImport:
    """Imports a source under one source name; safe to repeat, a chunk commits at a time. A dry run counts the same and writes nothing."""

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        key: TaskKey,
        source: str,
        organization_id: str | None = None,
        dry_run: bool = False,
        place: Place | None = None,
        bad_rows: BadRows | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._key = key
        self._source = f"import:{source}"
        self._organization_id = organization_id
        self._dry_run = dry_run
        self._rejects = ImportRejects(key, ENTITY, SHOWN, place=place or Place(self._source), bad_rows=bad_rows)
        self.created = 0
        """How many operations are new, of those that `changed` counts."""

    def run(self, source: Any) -> Counts:
        """Import a `Source`, or rows from code: `changed` counts what was new or moved on, `unchanged` what was known.

        Raises `UnusableSource` if a needed column is missing, and `WarehouseError`.
        """
        total = Counts()
        with self._warehouse.connect() as connection:
            prepare_staging(connection)
            prepare(connection)
            trial = Trial(connection) if self._dry_run else None
            for chunk in as_source(source).chunks(COLUMNS):
                total.add(self._chunk(connection, chunk, trial))
        return total

    def _chunk(self, connection: Connection, chunk: Chunk, trial: Trial | None) -> Counts:
        started = time.monotonic()
        reported: list[Reported] = []
        orders: list[_Order] = []
        for bad in chunk.bad:
            self._rejects.line(bad)
        good: dict[int, Row] = {}
        for place, row in enumerate(chunk.rows):
            try:
                self._read(place, row, reported, orders)
                good[place] = row
            except (BadRow, UnusableOperation) as problem:
                self._rejects.row(row, str(problem))
        with transaction_or_trial(connection, "import wallet operations", is_trial=self._dry_run) as cursor:
            self._rejects.prepare(cursor)
            if trial:
                trial.put_back(
                    cursor,
                    [each.operation for each in reported],
                    {(each.organization_id, each.order_id) for each in orders},
                )
            taken = take_in(cursor, reported)
            orders_changed = _take_orders(cursor, orders, self._source)
            changed = taken.added + taken.progressed + orders_changed
            for place, reason in sorted(taken.conflicts.items()):
                self._rejects.row(good.pop(place), reason)
            for row in good.values():
                self._rejects.landed(row, None)
            self.created += taken.added
            rejected = self._rejects.write(cursor)
            counts = Counts(
                requested=len(good) + rejected,
                found=len(good),
                changed=changed,
                unchanged=max(0, len(good) - changed),
                rejected=rejected,
                seconds=time.monotonic() - started,
                changed_tables=({"wallet.operation"} if changed > orders_changed else set())
                | ({"wallet.payment_order"} if orders_changed else set()),
            )
            add_counts(cursor, self._key, counts)
            if trial:
                trial.take(cursor)
        if trial:
            trial.keep()
        return counts

    def _refunded(self, row: Row) -> str | None:
        """Return the charge that a refund names: by the key that the same source gave it, or by its operation's id."""
        named = row.code("refund_of")
        return None if named is None else imported_operation_id(self._source, named)

    def _read(self, place: int, row: Row, reported: list[Reported], orders: list[_Order]) -> None:
        record = row.one_of("record", RECORDS)
        organization_id = row.uuid("organization_id") or self._organization_id
        if organization_id is None:
            raise BadRow("organization_id is missing")
        occurred_at = row.moment("occurred_at", needed=True)
        assert occurred_at is not None
        _check_time(occurred_at)
        if record == "order":
            order_id = row.code("order_id", needed=True)
            assert order_id is not None
            amount = row.amount("amount")
            if amount is not None and amount != 0 and (problem := amount_problem(amount, None)):
                raise BadRow(problem)
            orders.append(_Order(organization_id, order_id, row.one_of("state", ORDER_STATES), amount, occurred_at))
            return
        hold_id = row.uuid("hold_id", needed=record == "hold")
        key = row.code("key") or (f"{record}:{hold_id}" if record in ("hold", "cancel_hold") and hold_id else None)
        if key is None:
            raise BadRow("key is missing")
        operation = Operation(
            kind=cast("Kind", record),
            organization_id=organization_id,
            customer_id=row.uuid("customer_id"),
            wallet_id=row.uuid("wallet_id"),
            amount=row.amount("amount"),
            order_id=row.code("order_id"),
            hold_id=None if record == "hold" else hold_id,
            consumes_hold=bool(row.flag("consumes_hold")),
            source=self._source,
            key=key,
            requested_at=occurred_at,
            operation_id=hold_id if record == "hold" else None,
            refund_of=self._refunded(row),
        ).checked(None)
        state = row.one_of("state", STATES[1:], "confirmed")
        reported.append(Reported(place, operation, cast("State", state), {"reason": "reported", "by": self._source}))


def _check_time(occurred_at: datetime) -> None:
    """Raise `BadRow` for what no clock shows: a time ahead would count as the latest word until then."""
    try:
        ahead = occurred_at.astimezone(UTC) - datetime.now(UTC)
    except OverflowError:
        raise BadRow("occurred_at is not a time of this world") from None
    if ahead > MAX_AHEAD:
        raise BadRow("occurred_at is in the future; give its offset, or have the clock set")
    if ahead < -MAX_AGE:
        raise BadRow("occurred_at is decades ago")


def _take_orders(cursor: Cursor, orders: list[_Order], source: str) -> int:
    """Report orders, the earliest state of each first; returns how many states were new."""
    turns: dict[tuple[str, str], int] = {}
    lines = []
    for one in sorted(orders, key=lambda each: each.state_at):
        order = (one.organization_id, one.order_id)
        turns[order] = turns.get(order, 0) + 1
        lines.append(
            copy_line((one.organization_id, one.order_id, one.state, one.amount, one.state_at, source, turns[order]))
        )
    if not lines:
        return 0
    copy_lines(cursor, "staging_order", _ORDER_COLUMNS, lines)
    count = "select count(*) from wallet.payment_order_version where (organization_id, order_id) in "
    count += "(select organization_id, order_id from staging_order)"
    cursor.execute(count)
    before: int = cursor.fetchall()[0][0]
    for turn in range(1, max(turns.values()) + 1):
        cursor.execute(sql("wallet/orders.sql"), {"turn": turn})
    cursor.execute(count)
    after: int = cursor.fetchall()[0][0]
    return after - before
