"""Sends operations of the ledger to Syrve, each at most once.

The order is: planned (committed), sent (committed), the call, the outcome (committed). A process that finds `planned` may send it; one that
finds `sent` and has the lock knows that the sender died, and records `unknown`. No operation is sent twice: there is one place for the
event `sent`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from syrve.api.client import SyrveClient
from syrve.api.errors import (
    AuthenticationFailed,
    Effect,
    PermissionDenied,
    RateLimited,
    SyrveError,
    Transient,
)
from syrve.api.money_answers import effect_of
from syrve.values import without_float_noise
from syrve.wallet.ledger import NAMED_ANOTHER_HOLD, Ledger, named_another_hold
from syrve.wallet.money_settings import WalletSettings
from syrve.wallet.operations import NEEDS_SOMEBODY, OperationState, State, comment_with_marker
from syrve.wallet.set_back import REASON, made_before
from syrve.wallet.spool import KeptOutcome, Spool
from syrve.warehouse.database import Connection
from syrve.warehouse.errors import WarehouseError, WarehouseUnavailable

log = logging.getLogger(__name__)

SENDER_DIED = {"reason": "sender_died"}
_FIRST_WAIT_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _Outcome:
    state: State
    evidence: Mapping[str, Any] = field(default_factory=dict)
    correlation_id: str | None = None
    error: BaseException | None = None


class Money:
    """Carries operations of the ledger out; safe to use from any number of processes at once.

    The client must use a fresh connection for each call: one that the service has closed would leave an outcome unknown for nothing.
    `before_call` is called when a call is in the ledger and about to be made; where it raises, the call is not made, and the ledger says
    so. `step` is called with the name of each step as it is done, for tests that end the process there.
    """

    def __init__(
        self,
        ledger: Ledger,
        client: SyrveClient,
        *,
        settings: WalletSettings | None = None,
        before_call: Callable[[], None] | None = None,
        step: Callable[[str], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.ledger = ledger
        self.client = client
        self.settings = settings or WalletSettings()
        self._before_call = before_call or _nothing
        self.step = step or _no_step
        self._sleep = sleep
        self._spool = Spool(self.settings.spool_path)

    def execute(self, operation_id: str) -> OperationState:
        """Send a planned operation and return it with its outcome; one that is not planned is returned as it is, and never sent.

        Nor is one that was made before the ledger was set back (`syrve.wallet.set_back`).

        Raises a `Transient` if Syrve can't be asked for the balance first (the operation stays planned), and `WarehouseError`.
        """
        with self.alone(operation_id) as (connection, operation):
            if operation.state != "planned":
                return self.recover(operation, connection)
            if self._spool.has(operation.operation_id):
                return self._catch_up(operation, connection)
            made = self._made_before(operation, connection)
            if made is not None:
                sent = self.ledger.send(operation, made | {"reason": REASON}, connection)
                return self.ledger.record(sent, "confirmed", made, basis="report", connection=connection)
            hold_id = self._hold_to_cancel(operation)
            if operation.kind == "cancel_hold" and hold_id is None:
                reason = {"reason": "hold_id_unknown"}
                return self.ledger.record(operation, "rejected", reason, connection=connection)
            evidence = self._before(operation)
            sent = self.ledger.send(operation, evidence, connection)
            if (sent.state, sent.sequence) != ("sent", operation.sequence + 1):
                return sent  # refused, or another process took the lock over while our connection was down
            self.step(f"{operation.kind} sent")
            outcome = self._call(sent, hold_id)
            self.step(f"{operation.kind} called")
            done = self._record(sent, outcome, connection)
            self.step(f"{operation.kind} recorded")
        if outcome.error is not None:
            raise outcome.error
        return done

    @property
    def kept_here(self) -> list[str]:
        """The operations whose outcomes this machine kept while the warehouse was away."""
        return self._spool.operations()

    def alone(self, operation_id: str) -> AbstractContextManager[tuple[Connection, OperationState]]:
        """Keep every other process of ours off the operation's wallet for the block; gives the operation as it is then."""
        return self.ledger.alone_with(operation_id, wait_seconds=self.settings.lock_wait_seconds)

    def recover(self, operation: OperationState, connection: Connection) -> OperationState:
        """Record what this machine kept of an operation while the warehouse was away; else one whose sender died becomes unknown.

        An answer that was kept counts more than a balance.
        """
        kept = self._spool.find(operation.operation_id)
        if kept is not None:
            is_news = kept.state != "unknown" and (operation.state == "unknown" or operation.is_by_balance)
            if is_news or operation.state == "sent":
                operation = self.ledger.record(
                    operation, kept.state, kept.evidence, correlation_id=kept.correlation_id, connection=connection
                )
            self._spool.drop(operation.operation_id)
        if operation.state == "sent":
            operation = self.ledger.record(operation, "unknown", SENDER_DIED, connection=connection)
        return operation

    def _catch_up(self, operation: OperationState, connection: Connection) -> OperationState:
        """Record that an operation was sent, as this machine remembers though the ledger does not: it was set back to before the call."""
        log.warning("Operation %s is not sent: this machine keeps the answer to it", operation.operation_id)
        sent = self.ledger.send(operation, {"reason": "sent_before_a_restore"}, connection)
        kept = self._spool.find(operation.operation_id)
        if sent.state == "rejected" and kept is not None and kept.state == "confirmed":  # what was not to be sent was
            sent = self.ledger.record(sent, "confirmed", kept.evidence, basis="report", connection=connection)
        return self.recover(sent, connection)

    def recall(self, operation_id: str) -> OperationState:
        """Return an operation that was not carried out, by the ledger; it is confirmed if it was made before the ledger was set back."""
        with self.alone(operation_id) as (connection, operation):
            made = self._made_before(operation, connection) if operation.may_be_tried_again else None
            if made is None:
                return operation
            return self.ledger.record(operation, "confirmed", made, basis="report", connection=connection)

    def _made_before(self, operation: OperationState, connection: Connection) -> dict[str, Any] | None:
        return made_before(connection, self.client, operation, skew_seconds=self.settings.clock_skew_seconds)

    def balance(self, operation: OperationState) -> Decimal | None:
        """Read the balance of an operation's wallet; None if Syrve does not show it. Raises a `Transient`."""
        if operation.customer_id is None or operation.wallet_id is None:
            return None
        try:
            customer = self.client.customer_by_id(operation.organization_id, operation.customer_id)
        except Transient:
            raise
        except SyrveError:
            return None  # no such customer, or no right to look: the call itself will tell
        if customer.customer_id != operation.customer_id:
            return None  # an id that leads to another customer, as after a merge
        balances = (each.balance for each in customer.wallets if each.wallet_id == operation.wallet_id)
        return next((without_float_noise(each) for each in balances), None)

    @property
    def names_holds(self) -> bool:
        """Whether the dialect lets the caller choose a hold's id."""
        return self.client.config.capabilities.names_holds

    def _hold_to_cancel(self, operation: OperationState) -> str | None:
        if operation.kind != "cancel_hold" or operation.hold_id is None:
            return None
        return self.ledger.transaction_id(operation.hold_id)

    def _before(self, operation: OperationState) -> dict[str, Any]:
        """Return what `sent` is recorded with: the balance, and the id that the hold will have."""
        evidence: dict[str, Any] = {"dialect": self.client.config.dialect}
        if operation.kind == "hold" and self.names_holds:
            evidence["transaction_id"] = operation.operation_id
        if self.settings.reads_balance:
            balance = self.balance(operation)
            if balance is not None:
                evidence["balance_before"] = format(balance, "f")
        return evidence

    def _call(self, operation: OperationState, hold_id: str | None) -> _Outcome:
        try:
            self._before_call()
        except Exception as error:  # noqa: BLE001 - after any error the call is not made
            return _Outcome("rejected", {"reason": "not_sent", "error": type(error).__name__}, error=error)
        try:
            made = self._send(operation, hold_id)
        except SyrveError as error:
            return _outcome_of(error)
        except WarehouseError as error:  # of the call budget, which is asked before the call
            return _Outcome("rejected", {"reason": "not_sent", "error": type(error).__name__}, error=error)
        except Exception as error:  # noqa: BLE001 - after any error the call may have gone out
            evidence = {"reason": "no_clear_answer", "error": type(error).__name__}
            return _Outcome("unknown", evidence, error=error)
        if made and self.names_holds and made != operation.operation_id:
            return _Outcome("unknown", named_another_hold(made))
        return _Outcome("confirmed", {"reason": "answered"} | ({"transaction_id": made} if made else {}))

    def _send(self, operation: OperationState, hold_id: str | None) -> str | None:
        organization_id = operation.organization_id
        if operation.kind == "cancel_hold":
            assert hold_id is not None
            self.client.cancel_hold(organization_id, hold_id)
            return None
        customer_id, wallet_id, amount = operation.customer_id, operation.wallet_id, operation.amount
        assert customer_id is not None
        assert wallet_id is not None
        assert amount is not None
        whose = (organization_id, customer_id, wallet_id, amount)
        comment = comment_with_marker(operation)
        if operation.kind == "topup":
            self.client.topup(*whose, comment=comment)
            return None
        if operation.kind == "chargeoff":
            self.client.chargeoff(*whose, comment=comment)
            return None
        chosen = operation.operation_id if self.names_holds else None
        return self.client.hold(*whose, comment=comment, hold_id=chosen)

    def _record(self, operation: OperationState, outcome: _Outcome, connection: Connection) -> OperationState:
        """Record the outcome, by all means available: if it is lost, a person has to find out."""
        usable: Connection | None = connection
        kept, is_kept = KeptOutcome(outcome.state, outcome.evidence, outcome.correlation_id), False
        for attempt in range(self.settings.record_tries):
            try:
                done = self.ledger.record(
                    operation,
                    outcome.state,
                    outcome.evidence,
                    correlation_id=outcome.correlation_id,
                    connection=usable,
                )
            except WarehouseError:  # also one that no retry helps, such as a full disk: the answer must not be lost
                if not is_kept:
                    is_kept = self._spool.keep(operation.operation_id, kept)
                usable = None
                log.warning("The outcome of operation %s can't be written yet", operation.operation_id)
                self._sleep(_FIRST_WAIT_SECONDS * 2**attempt)
                continue
            is_open = done.state == "unknown" and done.evidence.get("reason") != NAMED_ANOTHER_HOLD
            if (is_open or done.is_by_balance) and outcome.state in ("confirmed", "rejected"):
                operation = done  # another process took us for dead; our own answer settles it
                continue
            if is_kept:
                self._spool.drop(operation.operation_id)
            return done
        hold_id = outcome.evidence.get("transaction_id")
        answered = f"{outcome.state}, Syrve's id of the hold is {hold_id}" if hold_id else outcome.state
        log.error("The outcome of operation %s could not be written: %s", operation.operation_id, answered)
        raise WarehouseUnavailable(
            f"the outcome of operation {operation.operation_id} ({answered}) could not be written; "
            + (
                "this machine keeps it and writes it when the operation is looked at again"
                if is_kept
                else "tell the ledger by hand"
            )
        )


def _nothing() -> None:
    """Go on."""


def _no_step(_name: str) -> None:
    """Go on."""


def _outcome_of(error: SyrveError) -> _Outcome:
    match effect_of(error):
        case Effect.REFUSED:
            return _Outcome("rejected", _error_evidence(error, "refused"), error.correlation_id)
        case Effect.NOT_CARRIED_OUT:
            return _Outcome("rejected", _error_evidence(error, _why_not_carried_out(error)), error.correlation_id)
    return _Outcome("unknown", _error_evidence(error, "no_clear_answer"), error.correlation_id)


def _why_not_carried_out(error: SyrveError) -> str:
    match error:
        case RateLimited():
            return "rate_limited"
        case AuthenticationFailed() | PermissionDenied():
            return "no_access"
        case Transient():  # no connection, a refused token, or no answer to the call for a token
            return "not_sent"
    return "not_carried_out"


def _error_evidence(error: SyrveError, reason: str) -> dict[str, Any]:
    facts = {"reason": reason, "error": type(error).__name__, "status": error.status, "code": error.code}
    if reason in NEEDS_SOMEBODY:
        facts["what_to_do"] = error.message
    return {name: value for name, value in facts.items() if value is not None}
