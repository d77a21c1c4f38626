"""Looks for operations that we sent in Syrve's transactions report once more, some time later (dialect `cloud`).

An answer says what Syrve believed when it answered. A call that the service or a proxy carried out twice, and one that was refused and
carried out all the same, show only in the report; so does one that was answered with yes and not carried out. So every operation is looked
for there once, and so is, a day later, what a till reported to have taken with a hold of ours, at the cost of a call or two per customer:
rows that repeat an operation are kept for the rule `operation_moved_twice`, a refusal that the report refutes is corrected, and what it
lacks is noted for the rule `operation_not_shown`. What is lacking, or could not be looked for, is looked for again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from syrve.api.client import SyrveClient
from syrve.api.errors import MalformedAnswer, Rejected
from syrve.api.models import Transaction
from syrve.wallet.ledger import Ledger
from syrve.wallet.money import Money
from syrve.wallet.money_settings import WalletSettings
from syrve.wallet.not_shown import Answered, answered, look_for, note
from syrve.wallet.operations import OperationState
from syrve.wallet.report_rows import keep_repeats, markers_of
from syrve.wallet.reported import evidence_of, shows
from syrve.warehouse.database import Connection, Warehouse, transaction
from syrve.warehouse.errors import WarehouseUnavailable
from syrve.warehouse.runs import Counts, TaskKey, add_counts
from syrve.warehouse.sql_files import sql

log = logging.getLogger(__name__)

LEAST_AGE_SECONDS = 3600.0
"""A row may be reported late, and a call be repeated minutes later."""
CONSUMPTION_AGE_SECONDS = 86_400.0
"""Held money that a till takes need not change the balance, so that no gap shows that its row is late."""
LOOK_BACK_DAYS = 7


@dataclass(frozen=True, slots=True)
class _Sent:
    """Operations of one customer, with when the first and the last of them were sent."""

    organization_id: str
    customer_id: str
    since: datetime
    until: datetime
    now: datetime
    operation_ids: Sequence[str]


class LookAgain:
    """Looks at what was sent within a week, an hour ago or more; a customer commits at a time. Safe to repeat, and to run twice at once."""

    def __init__(
        self, warehouse: Warehouse, client: SyrveClient, *, key: TaskKey, settings: WalletSettings | None = None
    ) -> None:
        self._warehouse = warehouse
        self._ledger = Ledger(warehouse)
        self._client = client
        self._key = key
        self._settings = settings or WalletSettings()
        self._money = Money(self._ledger, client, settings=self._settings)

    def run(
        self,
        organization_ids: Sequence[str],
        *,
        customers: int,
        least_age_seconds: float = LEAST_AGE_SECONDS,
        consumption_age_seconds: float = CONSUMPTION_AGE_SECONDS,
    ) -> Counts:
        """Look at `customers` customers at most, those with a lost answer first.

        `found` counts transactions, `changed` operations that moved twice, were corrected, or are not shown, `rejected` customers that
        Syrve refuses.

        Raises `UnsupportedByDialect`, a `SyrveError` if Syrve can't be asked, and `WarehouseError`.
        """
        total = Counts()
        with self._warehouse.connect() as connection:
            with transaction(connection, "choose operations to look at again") as cursor:
                values = {
                    "organization_ids": list(organization_ids),
                    "customers": customers,
                    "days": LOOK_BACK_DAYS,
                    "least_age_seconds": least_age_seconds,
                    "consumption_age_seconds": consumption_age_seconds,
                }
                cursor.execute(sql("wallet/customers_to_look_at_again.sql"), values)
                chosen = [_Sent(*row) for row in cursor.fetchall()]
            for sent in chosen:
                total.add(self._look(connection, sent))
        return total

    def _look(self, connection: Connection, sent: _Sent) -> Counts:
        started = time.monotonic()
        counts = Counts(requested=1)
        skew = timedelta(seconds=self._settings.clock_skew_seconds)
        self._client.stats.take()
        report: list[Transaction] = []
        try:
            whose = (sent.organization_id, sent.customer_id)
            report += self._client.transactions_by_date(*whose, sent.since - skew, sent.now + skew)
        except (Rejected, MalformedAnswer) as problem:  # one customer's: the others go on
            log.error("The transactions of customer %s can't be read: %s", sent.customer_id, problem)
            counts.rejected = 1
        counts.found = len(report)
        try:
            counts.changed = sum(self._compare(each, report) for each in sent.operation_ids)
            counts.changed += self._look_for_answered(sent.operation_ids, None if counts.rejected else report)
        except WarehouseUnavailable as busy:
            log.info("The operations of customer %s are looked at by the next run: %s", sent.customer_id, busy)
            return counts
        finally:
            stats = self._client.stats.take()
            counts.calls, counts.retries, counts.rate_limited = stats.calls, stats.retries, stats.rate_limited
        with transaction(connection, "note that operations were looked at again") as cursor:
            bookmark = {
                "organization_id": sent.organization_id,
                "customer_id": sent.customer_id,
                "until": sent.until,
            }
            cursor.execute(sql("wallet/looked_again.sql"), bookmark)
            counts.seconds = time.monotonic() - started
            add_counts(cursor, self._key, counts)
        return counts

    def _compare(self, operation_id: str, report: Sequence[Transaction]) -> bool:
        """Bring the ledger in step with what the report shows of an operation; says whether that was news."""
        operation = self._ledger.state(operation_id)
        shown = [each for each in report if shows(operation, each)]
        if not shown:
            return False
        is_corrected = _is_denied(operation) and self._correct(operation_id, shown)
        with self._warehouse.transaction("keep rows that name one operation") as cursor:
            is_repeated = keep_repeats(cursor, operation, shown)
        return is_corrected or is_repeated

    def _look_for_answered(self, operation_ids: Sequence[str], report: Sequence[Transaction] | None) -> int:
        """Note where the report does not agree with what was answered; returns how many are found missing now, or no longer are.

        What can't be decided is left for another look, such as everything if the report can't be read (None).
        """
        with self._warehouse.transaction("read what was answered") as cursor:
            claims = answered(cursor, operation_ids)
            markers = markers_of(cursor, report or ())
        news = 0
        skew_seconds = self._settings.clock_skew_seconds
        for each in claims:
            seen, balance = look_for(each, report, markers, partial(self._balance, each), skew_seconds=skew_seconds)
            # That a consumption is shown is noted too: nothing else says that it was looked for.
            if seen == (each.seen or each.expected) and not (each.consumes_hold and each.seen is None):
                continue
            with self._warehouse.transaction("note whether an operation is shown") as cursor:
                note(cursor, each, seen, balance=balance)
            if each.is_done and seen == "missing":
                log.warning(
                    "Operation %s was said to be done, and nothing shows that it moved money", each.operation_id
                )
            news += each.is_done and "missing" in (seen, each.seen)
        return news

    def _balance(self, operation: Answered) -> Decimal | None:
        return self._money.balance(self._ledger.state(operation.operation_id))

    def _correct(self, operation_id: str, shown: Sequence[Transaction]) -> bool:
        with self._ledger.alone_with(operation_id, wait_seconds=self._settings.lock_wait_seconds) as (
            connection,
            known,
        ):
            if not _is_denied(known):
                return False
            hold_id = self._ledger.transaction_id(operation_id) if known.kind == "hold" else None
            evidence = evidence_of(known, shown, hold_id)
            self._ledger.record(known, "confirmed", evidence, basis="report", connection=connection)
        log.warning("Operation %s moved money, though the answer or the balance said that it did not", operation_id)
        return True


def _is_denied(operation: OperationState) -> bool:
    """Whether the ledger believes that it moved nothing, for a reason that the report refutes.

    The end of a hold does not tell which cancellation ended it.
    """
    is_by_us = operation.kind != "cancel_hold" and operation.basis in ("answer", "balance")
    return operation.state == "rejected" and is_by_us
