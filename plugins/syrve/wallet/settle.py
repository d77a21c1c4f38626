"""Settles operations whose outcome is unknown, by evidence; never by sending them again.

Under the dialect `cloud` the transactions report shows our operation by its marker in the comment, or a hold by the id that we chose. Under
`reference` there is the balance before and after, which is evidence only where nothing else moved. What neither shows stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from syrve.api.errors import UnsupportedByDialect
from syrve.api.models import Transaction
from syrve.wallet.money import Money
from syrve.wallet.not_shown import answered, is_absent
from syrve.wallet.operations import Basis, OperationState, State
from syrve.wallet.report_rows import keep_repeats, markers_of
from syrve.wallet.reported import evidence_of, shows
from syrve.warehouse.database import Connection, fetch_one, transaction
from syrve.warehouse.sql_files import sql

_DIRECTION = {"topup": 1, "cancel_hold": 1, "chargeoff": -1, "hold": -1}


@dataclass(frozen=True, slots=True)
class Settlement:
    """An operation after the attempt to settle it; `missing` says what evidence lacks where it is still unknown."""

    operation: OperationState
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class BalanceReading:
    """The balance before an operation was sent and now; `problem` says why the two are no evidence, where they are none.

    `age_seconds` is how long ago the operation was sent, where both are known.
    """

    before: Decimal | None = None
    after: Decimal | None = None
    problem: str | None = None
    age_seconds: float = 0.0

    @property
    def change(self) -> Decimal | None:
        """By how much the balance grew; None if that is no evidence."""
        if self.problem is not None or self.before is None or self.after is None:
            return None
        return self.after - self.before

    @property
    def as_evidence(self) -> dict[str, str]:
        """The balances that are known, as text."""
        known = {"balance_before": self.before, "balance_after": self.after}
        return {name: format(balance, "f") for name, balance in known.items() if balance is not None}


@dataclass(frozen=True, slots=True)
class _Finding:
    state: State
    basis: Basis
    evidence: Mapping[str, Any]


class Settler:
    """Looks for evidence of what became of an operation; safe to use from any number of processes at once.

    Ages go by the clock of the warehouse, which says when an operation was sent, unless a `clock` is given.

    Every method raises a `SyrveError` if Syrve can't be asked, and `WarehouseError`.
    """

    def __init__(self, money: Money, *, clock: Callable[[], datetime] | None = None) -> None:
        self._money = money
        self._ledger = money.ledger
        self._settings = money.settings
        self._given_clock = clock

    @property
    def kept_here(self) -> list[str]:
        """The operations whose answers this machine kept while the warehouse was away."""
        return self._money.kept_here

    def settle(self, operation_id: str) -> Settlement:
        """Record the outcome of an operation that is unknown, or whose sender died, where evidence shows it."""
        with self._money.alone(operation_id) as (connection, operation):
            operation = self._money.recover(operation, connection)
            if operation.state != "unknown":
                return Settlement(operation)
            sent_at, sent = self._sent(operation, connection)
            found = self._look(operation, sent_at, sent, connection)
            if isinstance(found, str):
                return Settlement(operation, found)
            return Settlement(
                self._ledger.record(operation, found.state, found.evidence, basis=found.basis, connection=connection)
            )

    def read_back(self, operation_id: str, *, within_seconds: float | None = None) -> BalanceReading:
        """Read the balance again after an operation, with any outcome; older than `within_seconds` it is no evidence."""
        with self._money.alone(operation_id) as (connection, operation):
            sent_at, sent = self._sent(operation, connection)
            window_seconds = self._settings.balance_window_seconds
            window_seconds = window_seconds if within_seconds is None else min(window_seconds, within_seconds)
            return self._reading(operation, sent_at, sent, connection, window_seconds)

    def shown_by_report(self, operation_id: str) -> list[str] | None:
        """Return the transactions that can only be this operation's; None if the dialect has no report, or it is not known whose it is."""
        with self._money.alone(operation_id) as (connection, operation):
            sent_at, _ = self._sent(operation, connection)
            try:
                reported = self._reported(operation, sent_at, connection)
            except UnsupportedByDialect:
                return None
        return None if reported is None else [each.transaction_id for each in reported]

    def is_not_shown(self, operation_id: str) -> bool:
        """Whether the report lacks what an answer said was done; False if that is not known, as under a dialect without a report."""
        with self._money.alone(operation_id) as (connection, operation):
            with transaction(connection, "read what was answered") as cursor:
                claims = answered(cursor, [operation_id])
            if not claims or operation.customer_id is None:
                return False
            (claim,), skew = claims, timedelta(seconds=self._settings.clock_skew_seconds)
            whose = (operation.organization_id, operation.customer_id)
            try:
                report = list(
                    self._money.client.transactions_by_date(*whose, claim.since - skew, self._now(connection) + skew)
                )
            except UnsupportedByDialect:
                return False
            with transaction(connection, "look for marked operations") as cursor:
                markers = markers_of(cursor, report)
        return is_absent(claim, report, markers, skew_seconds=self._settings.clock_skew_seconds)

    def is_too_early(self, reading: BalanceReading) -> bool:
        """Whether the service may still be at it, so that a balance that is as before proves nothing."""
        return reading.age_seconds < self._settings.quiet_seconds

    def _look(
        self, operation: OperationState, sent_at: datetime, sent: Mapping[str, Any], connection: Connection
    ) -> _Finding | str:
        try:
            reported = self._reported(operation, sent_at, connection)
        except UnsupportedByDialect:
            return self._by_balance(operation, sent_at, sent, connection, balance_shows_success=True)
        if reported is None:
            return "the ledger does not know whose money it is"
        if reported:
            with transaction(connection, "keep rows that name one operation") as cursor:
                keep_repeats(cursor, operation, reported)
            hold_id = self._ledger.transaction_id(operation.operation_id) if operation.kind == "hold" else None
            return _Finding("confirmed", "report", evidence_of(operation, reported, hold_id))
        return self._by_balance(operation, sent_at, sent, connection, balance_shows_success=False)

    def _reported(
        self, operation: OperationState, sent_at: datetime, connection: Connection
    ) -> list[Transaction] | None:
        """Return the transactions that can only be this operation's; raises `UnsupportedByDialect`."""
        customer_id = operation.customer_id
        if customer_id is None:
            return None
        skew = timedelta(seconds=self._settings.clock_skew_seconds)
        report = self._money.client.transactions_by_date(
            operation.organization_id, customer_id, sent_at - skew, self._now(connection) + skew
        )
        return [each for each in report if shows(operation, each)]

    def _by_balance(
        self,
        operation: OperationState,
        sent_at: datetime,
        sent: Mapping[str, Any],
        connection: Connection,
        *,
        balance_shows_success: bool,
    ) -> _Finding | str:
        age_seconds = (self._now(connection) - sent_at).total_seconds()
        reading = self._reading(operation, sent_at, sent, connection, self._settings.balance_window_seconds)
        if reading.problem is not None or operation.amount is None:
            return reading.problem or "the balance before the call is not known"
        before, after, evidence = reading.before, reading.after, {"reason": "balance"} | reading.as_evidence
        assert before is not None
        assert after is not None
        if after - before == _DIRECTION[operation.kind] * operation.amount:
            return (
                _Finding("confirmed", "balance", evidence)
                if balance_shows_success
                else "the report does not show it yet"
            )
        if after != before:
            return "the balance changed by another amount, so something else moved"
        if operation.kind in ("hold", "cancel_hold"):
            return "the balance is the same, which it may be with held money in it"
        if age_seconds < self._settings.quiet_seconds:
            return "nothing moved so far, but the service may still be at it"
        return _Finding("rejected", "balance", evidence)

    def _reading(
        self,
        operation: OperationState,
        sent_at: datetime,
        sent: Mapping[str, Any],
        connection: Connection,
        window_seconds: float,
    ) -> BalanceReading:
        if "balance_before" not in sent or operation.amount is None:
            return BalanceReading(problem="the balance before the call is not known")
        before = Decimal(sent["balance_before"])
        age_seconds = (self._now(connection) - sent_at).total_seconds()
        if age_seconds > window_seconds:
            return BalanceReading(before, problem="the call is too long ago for the balance to show what it did")
        after = self._money.balance(operation)
        if after is None:
            return BalanceReading(before, problem="Syrve does not show the balance")
        if self._moved_since(operation, sent_at, connection):
            problem = "other operations on the same wallet make the balance no evidence"
            return BalanceReading(before, after, problem)
        return BalanceReading(before, after, age_seconds=age_seconds)

    def _moved_since(self, operation: OperationState, since: datetime, connection: Connection) -> bool:
        values = {
            "customer_id": operation.customer_id,
            "wallet_id": operation.wallet_id,
            "operation_id": operation.operation_id,
            "since": since,
            "skew_seconds": self._settings.clock_skew_seconds,
        }
        with transaction(connection, "look for other movements of the wallet") as cursor:
            cursor.execute(sql("wallet/moved_since.sql"), values)
            return bool(fetch_one(cursor)[0])

    def _now(self, connection: Connection) -> datetime:
        if self._given_clock is not None:
            return self._given_clock()
        with transaction(connection, "read the clock") as cursor:
            cursor.execute("select clock_timestamp()")
            now: datetime = fetch_one(cursor)[0]
        return now

    def _sent(self, operation: OperationState, connection: Connection) -> tuple[datetime, Mapping[str, Any]]:
        with transaction(connection, "read when an operation was sent") as cursor:
            cursor.execute(
                "select occurred_at, evidence from wallet.operation_event where operation_id = %s and state <> 'planned' "
                "order by sequence limit 1",
                (operation.operation_id,),
            )
            occurred_at, evidence = fetch_one(cursor)
            return occurred_at, evidence
