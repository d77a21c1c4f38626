"""Cancels the holds that a person approved, each once, and establishes the outcome by evidence.

The cancellation is an operation of the ledger whose key is the hold: two approvals, two runs and a repeated run are the same cancellation.
What was shown is what is released: a hold that has changed since is refused. Where Syrve says that a hold is over or unknown, nothing is
concluded from that: the transactions report (dialect `cloud`), or the balance before and after, has to show what ended it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any

from syrve.api.errors import SyrveError, UnsupportedByDialect
from syrve.approvals.book import ApprovalBook
from syrve.release.errors import ReleaseIncomplete
from syrve.release.record import AskedHold, Outcome, ReleaseBook
from syrve.wallet.attempts import carry_out, latest_attempt
from syrve.wallet.errors import MoneyNotSent, MoneyTurnedAway, PaymentBusy, PaymentUnsettled
from syrve.wallet.money import Money
from syrve.wallet.operations import Operation, OperationState
from syrve.wallet.settle import BalanceReading, Settler
from syrve.wallet.transactions import TransactionsImport
from syrve.warehouse.database import fetch_one
from syrve.warehouse.errors import WarehouseUnavailable
from syrve.warehouse.runs import Counts, TaskKey, add_counts

log = logging.getLogger(__name__)

SOURCE = "release"
EVIDENCE_SOURCE = "release:evidence"
MAX_FAILURES_IN_A_ROW = 3
HOLD_WAIT_SECONDS = 5.0
"""How long to wait for another process at a hold: a payment keeps it while its order runs."""
REFUSAL_WINDOW_SECONDS = 60.0
"""How soon after a refusal a balance must be read to show what ended the hold just before."""

_MAY_BE_CONSUMED = "but the balance fell by the amount: a till may have consumed the hold"


class HoldRelease:
    """Carries out what was approved under a question; safe to kill, to repeat, and to run twice at once."""

    def __init__(
        self,
        money: Money,
        *,
        key: TaskKey,
        approvals: ApprovalBook,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._approvals = approvals
        self._money = money
        self._ledger = money.ledger
        self._settler = Settler(money, clock=clock)
        self._key = key
        self._book = ReleaseBook(money.ledger.warehouse, run_id=key.run_id)

    def release(self, request_id: str) -> Counts:
        """Cancel what was approved: `changed` counts holds released now, `rejected` those refused, `failed` those not settled.

        Raises `NotApproved` if this run has no approval of the question as it was shown; an unanswered question is not an approval.
        Raises `ReleaseIncomplete` if some could not be cancelled yet, and `PaymentUnsettled` if evidence is missing; in both cases
        all others are done. `WarehouseError` at once.
        """
        started = time.monotonic()
        counts = Counts()
        problems: list[str] = []
        try:
            self._release_all(request_id, counts, problems)
        finally:
            counts.seconds = time.monotonic() - started
            with self._ledger.warehouse.transaction("count what was released") as cursor:
                add_counts(cursor, self._key, counts)
        if problems:
            raise ReleaseIncomplete(
                f"{len(problems)} hold(s) could not be cancelled yet; the last says: {problems[-1]}"
            )
        if counts.failed:
            raise PaymentUnsettled(
                f"evidence is missing for {counts.failed} hold(s): wallet.release_state says what; their findings stay as they are"
            )
        return counts

    def _release_all(self, request_id: str, counts: Counts, problems: list[str]) -> None:
        failures = 0
        holds = self._book.holds(request_id)
        if any(each.state not in ("left", "kept", "expired", "withdrawn") for each in holds):
            content = self._book.content(request_id)
            with self._ledger.warehouse.transaction("check the approval of a release") as cursor:
                self._approvals.require(cursor, content)
        for asked in holds:
            if asked.state in ("approved", "unsettled", "released", "refused"):
                counts.requested += 1
            if asked.state in ("released", "refused"):
                counts.unchanged += 1
            if asked.state not in ("approved", "unsettled"):
                continue
            try:
                outcome = self._outcome(asked)
            except (MoneyNotSent, SyrveError) as problem:
                failures += 1
                problems.append(str(problem))
                if failures >= MAX_FAILURES_IN_A_ROW or isinstance(problem, MoneyTurnedAway):
                    return
                continue
            failures = 0
            self._money.step("release settled")
            is_news = self._book.end(asked, outcome)
            self._money.step("release recorded")
            counts.changed += is_news and outcome.state == "released"
            counts.rejected += is_news and outcome.state == "refused"
            counts.unchanged += not is_news and outcome.state != "unsettled"
            counts.failed += outcome.state == "unsettled"
            log.info("Hold %s: %s, %s", asked.shown.hold_id, outcome.state, outcome.reason)

    def _outcome(self, asked: AskedHold) -> Outcome:
        """Cancel a hold unless that was done before, with its payment kept off it, and look at the outcome."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self._ledger.alone_with_hold(asked.shown.hold_id, wait_seconds=HOLD_WAIT_SECONDS))
            except WarehouseUnavailable:
                raise PaymentBusy(
                    "another process is at the hold, such as its payment, or the warehouse is away"
                ) from None
            return self._outcome_alone(asked)

    def _outcome_alone(self, asked: AskedHold) -> Outcome:
        known = latest_attempt(self._money, SOURCE, asked.shown.hold_id)
        if known is None or known.state == "planned" or known.may_be_tried_again:
            refusal = self._refusal(asked, known)
            if refusal is not None:
                return refusal
            if self._ledger.cancel_is_unknown(asked.shown.hold_id):
                return Outcome("unsettled", "it is not known whether another cancellation of the hold was carried out")
            known = carry_out(self._money, _cancellation(asked))
        if not known.is_final:
            settled = self._settler.settle(known.operation_id)
            known = settled.operation
            if not known.is_final:
                missing = settled.missing or "the outcome of the cancellation is not known"
                return Outcome("unsettled", missing, known.operation_id)
        return self._confirmed(asked, known) if known.state == "confirmed" else self._refused(asked, known)

    def _refusal(self, asked: AskedHold, planned: OperationState | None) -> Outcome | None:
        """Refuse a hold that is not any more what a person was shown."""
        problem, is_over, hold_state = self._book.changed(asked.shown.release_id)
        if problem is None and hold_state in ("sent", "unknown"):
            self._settler.settle(asked.shown.hold_id)
            problem, is_over, _ = self._book.changed(asked.shown.release_id)
        if problem is None:
            return None
        if planned is not None and planned.state == "planned" and is_over:
            self._ledger.drop(planned.operation_id, "the hold was over first")
        return Outcome("refused", problem)

    def _confirmed(self, asked: AskedHold, done: OperationState) -> Outcome:
        """Read the balance back after a cancellation that Syrve confirmed, or that evidence shows."""
        amount = asked.shown.amount
        reading = self._settler.read_back(done.operation_id)
        evidence: dict[str, Any] = {"outcome_by": done.evidence.get("reason"), **reading.as_evidence}
        if reading.problem is not None:
            evidence["balance"] = reading.problem
        if reading.change == amount:
            return Outcome("released", "cancelled; the balance rose by the amount", done.operation_id, evidence)
        shown = self._settler.shown_by_report(done.operation_id)
        if shown:
            evidence["transactions"] = shown
            return Outcome("released", "cancelled; the transactions report shows it", done.operation_id, evidence)
        fell = {"balance_fell_by": format(amount, "f")}
        fell_before = asked.evidence.get("balance_fell_by") == fell["balance_fell_by"]
        if reading.change == -amount or (reading.change is None and fell_before):
            missing = f"Syrve confirmed the cancellation, {_MAY_BE_CONSUMED}"
            return Outcome("unsettled", missing, done.operation_id, evidence | fell)
        if self._shows_nothing(asked, done, reading):
            missing = "Syrve confirmed the cancellation, but the money that the hold had taken from the balance is not back in it"
            evidence["balance_did_not_rise"] = format(amount, "f")
            return Outcome("unsettled", missing, done.operation_id, evidence)
        return Outcome("released", "cancelled, as Syrve confirmed", done.operation_id, evidence)

    def _shows_nothing(self, asked: AskedHold, done: OperationState, reading: BalanceReading) -> bool:
        """Whether a cancellation that Syrve confirmed gave nothing back, which shows only where held money lowers the balance.

        Raises `ReleaseIncomplete` while the service may still be at it.
        """
        if reading.change is None:
            return "balance_did_not_rise" in asked.evidence
        if reading.change != 0:
            return False
        with self._ledger.warehouse.transaction("compare balances around a hold") as cursor:
            cursor.execute("select wallet.hold_had_lowered_balance(%s)", (done.operation_id,))
            lowered = bool(fetch_one(cursor)[0])
        if not (lowered or self._settler.is_not_shown(done.operation_id)):
            return False
        if self._settler.is_too_early(reading):
            raise ReleaseIncomplete(f"the balance shows no cancellation of the hold {asked.shown.hold_id} yet")
        return True

    def _refused(self, asked: AskedHold, done: OperationState) -> Outcome:
        """Find out what ended a hold that Syrve would not cancel."""
        refusal = str(done.evidence.get("code") or done.evidence.get("reason"))
        evidence: dict[str, Any] = {"refusal": refusal}
        ended_by = self._ledger.hold_ended_by(asked.shown.hold_id)
        if ended_by is None:
            self._read_report(asked)
            ended_by = self._ledger.hold_ended_by(asked.shown.hold_id)
        if ended_by is None:
            ended_by = self._ended_by_balance(asked, done, evidence)
        if ended_by == "cancelled":
            reason = "Syrve refused the cancellation; evidence shows that the hold was cancelled before"
            return Outcome("released", reason, done.operation_id, evidence)
        if ended_by is not None:
            return Outcome("refused", f"the hold was {ended_by} first", done.operation_id, evidence)
        missing = f"Syrve refuses to cancel the hold ({refusal}), and nothing shows what ended it"
        if "balance_fell_by" in evidence:
            missing = f"Syrve refuses to cancel the hold ({refusal}), {_MAY_BE_CONSUMED}"
        if done.evidence.get("reason") != "refused":
            missing = (
                f"the cancellation was not carried out ({refusal}), and the hold is open; cancel it under a new key"
            )
        return Outcome("unsettled", missing, done.operation_id, evidence)

    def _read_report(self, asked: AskedHold) -> None:
        """Take what the transactions report shows of the customer into the ledger; under `reference` there is none."""
        job = TransactionsImport(
            self._ledger.warehouse, self._money.client, key=self._key, settings=self._money.settings
        )
        try:
            job.run([asked.shown.organization_id], customers=1, customer_id=asked.customer_id)
        except UnsupportedByDialect:
            return

    def _ended_by_balance(self, asked: AskedHold, done: OperationState, evidence: dict[str, Any]) -> str | None:
        """Say what ended the hold between the balance before the refused call and now; a cancellation is written into the ledger.

        That the balance fell is no proof that a till consumed the hold, and its charge is for the till to report.
        """
        reading = self._settler.read_back(done.operation_id, within_seconds=REFUSAL_WINDOW_SECONDS)
        evidence |= reading.as_evidence
        if reading.problem is not None:
            evidence["balance"] = reading.problem
        if reading.change == -asked.shown.amount:
            evidence["balance_fell_by"] = format(asked.shown.amount, "f")
        if reading.change != asked.shown.amount:
            return None
        seen = {"reason": "balance", "refusal": evidence["refusal"]} | reading.as_evidence
        self._ledger.observe(replace(_cancellation(asked), source=EVIDENCE_SOURCE), "confirmed", seen, basis="balance")
        return "cancelled"


def _cancellation(asked: AskedHold) -> Operation:
    """Return the one cancellation of a hold by release, the same for every caller and repetition."""
    return Operation(
        kind="cancel_hold",
        organization_id=asked.shown.organization_id,
        customer_id=asked.customer_id,
        wallet_id=asked.wallet_id,
        amount=asked.shown.amount,
        order_id=asked.order_id,
        hold_id=asked.shown.hold_id,
        source=SOURCE,
        key=asked.shown.hold_id,
        payment_id=asked.payment_id,
    )
