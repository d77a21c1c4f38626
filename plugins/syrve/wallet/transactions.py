"""Reads Syrve's transactions report (dialect `cloud`) of customers with open holds, and takes what others did into the ledger.

The type codes of a hold and of its end are not known, so no code decides about them: a transaction that carries our marker, or a hold's id,
is ours; one that carries a hold's marker and gives its amount back is the hold's end; a payment at the till (`PayFromWallet`) that leaves
the balance as it was, though one open hold has just its amount, was paid with the held money, unless a till told of that payment itself:
then it is the hold that the till named. Everything else is kept as evidence only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from syrve.api.client import SyrveClient
from syrve.api.errors import MalformedAnswer, Rejected
from syrve.api.models import Transaction
from syrve.wallet.money_settings import WalletSettings
from syrve.wallet.operations import Kind, Operation
from syrve.wallet.report_rows import Markers, by_clock, keep, marked, markers_of
from syrve.wallet.reported import change_of
from syrve.wallet.take_in import Reported, prepare, take_in
from syrve.warehouse.database import Connection, Cursor, Warehouse, transaction
from syrve.warehouse.runs import Counts, TaskKey, add_counts
from syrve.warehouse.sql_files import sql

log = logging.getLogger(__name__)

SOURCE = "transactions"
PAYMENT_TYPES, PAYMENT_NAMES = frozenset({8}), frozenset({"PayFromWallet"})
REFILL_NAMES = frozenset(
    {"RefillWallet", "RefillWalletFromOrder", "RefillWalletFromApi", "AutomaticRefillWallet", "WelcomeBonus"}
)


@dataclass(frozen=True, slots=True)
class _Payment:
    wallet_id: str
    amount: Decimal
    paid_at: datetime


@dataclass(frozen=True, slots=True)
class _Hold:
    hold_id: str
    transaction_id: str | None
    organization_id: str
    wallet_id: str
    amount: Decimal


class TransactionsImport:
    """Reads the customers with open holds whose report was read longest ago; a customer commits at a time. Safe to repeat."""

    def __init__(
        self, warehouse: Warehouse, client: SyrveClient, *, key: TaskKey, settings: WalletSettings | None = None
    ) -> None:
        self._warehouse = warehouse
        self._client = client
        self._key = key
        self._settings = settings or WalletSettings()

    def run(self, organization_ids: Sequence[str], *, customers: int, customer_id: str | None = None) -> Counts:
        """Read at most `customers` customers, or the one given, that have open holds.

        `found` counts transactions, `changed` new ones, `rejected` customers that Syrve refuses.

        Raises `UnsupportedByDialect`, a `SyrveError` if Syrve can't be asked, and `WarehouseError`.
        """
        total = Counts()
        with self._warehouse.connect() as connection:
            prepare(connection)
            with transaction(connection, "choose customers with open holds") as cursor:
                cursor.execute(
                    sql("wallet/customers_with_open_holds.sql"),
                    {
                        "organization_ids": list(organization_ids),
                        "customers": customers,
                        "customer_id": customer_id,
                        "skew_seconds": self._settings.clock_skew_seconds,
                    },
                )
                chosen = cursor.fetchall()
            for organization_id, customer_id, revision in chosen:
                total.add(self._read(connection, organization_id, customer_id, revision))
        return total

    def _read(self, connection: Connection, organization_id: str, customer_id: str, revision: int | None) -> Counts:
        started = time.monotonic()
        counts = Counts(requested=1)
        self._client.stats.take()
        try:
            found = list(self._client.transactions_by_revision(organization_id, customer_id, revision))
        except (Rejected, MalformedAnswer) as problem:  # one customer's: the others go on
            log.error("The transactions of customer %s can't be read: %s", customer_id, problem)
            found = []
            counts.rejected = 1
        stats = self._client.stats.take()
        counts.calls, counts.retries, counts.rate_limited = stats.calls, stats.retries, stats.rate_limited
        with transaction(connection, "import transactions") as cursor:
            found = by_clock(cursor, found)
            markers = markers_of(cursor, found)
            kept = [keep(cursor, organization_id, customer_id, each, markers) for each in found]
            fresh = [each for each, row in zip(found, kept, strict=True) if row.is_new and not row.is_repeated]
            holds = _holds(cursor, customer_id)
            payments = _known_payments(cursor, customer_id)
            shown = []
            for place, each in enumerate(fresh):
                candidates = [] if self._is_known(each, payments) else holds
                shown.append(_reported_operation(place, organization_id, customer_id, each, holds, candidates, markers))
            take_in(cursor, [each for each in shown if each is not None])
            newest = max((each.revision for each in found), default=revision or 0)
            cursor.execute(
                "insert into wallet.transaction_bookmark (organization_id, customer_id, revision) values (%s, %s, %s) "
                "on conflict (organization_id, customer_id) do update "
                "set revision = greatest(excluded.revision, transaction_bookmark.revision), read_at = clock_timestamp()",
                (organization_id, customer_id, newest),
            )
            counts.found, counts.changed = len(found), sum(row.is_new for row in kept)
            counts.unchanged = counts.found - counts.changed
            counts.seconds = time.monotonic() - started
            add_counts(cursor, self._key, counts)
        return counts

    def _is_known(self, reported: Transaction, payments: list[_Payment]) -> bool:
        """Say whether a till told of this payment with held money itself; each one that it told of is used up by one in the report."""
        if reported.amount is None or reported.created_at is None or not _is_payment(reported):
            return False
        for each in payments:
            is_then = abs((each.paid_at - reported.created_at).total_seconds()) <= self._settings.clock_skew_seconds
            if is_then and (each.wallet_id, each.amount) == (reported.wallet_id, abs(reported.amount)):
                payments.remove(each)
                return True
        return False


def _holds(cursor: Cursor, customer_id: str) -> list[_Hold]:
    """Return the customer's open holds, through any organization of a network: they share the customer and the report."""
    cursor.execute(
        "select hold_id::text, transaction_id::text, organization_id::text, wallet_id::text, amount from wallet.open_hold "
        "where customer_id = %s",
        (customer_id,),
    )
    return [_Hold(*row) for row in cursor.fetchall()]


def _is_payment(reported: Transaction) -> bool:
    return reported.type in PAYMENT_TYPES or reported.type_name in PAYMENT_NAMES


def _known_payments(cursor: Cursor, customer_id: str) -> list[_Payment]:
    """Return the payments with held money that others reported."""
    cursor.execute(
        "select wallet_id::text, amount, requested_at from wallet.operation "
        "where customer_id = %s and consumes_hold and source <> %s",
        (customer_id, SOURCE),
    )
    return [_Payment(*row) for row in cursor.fetchall()]


def _reported_operation(
    place: int,
    organization_id: str,
    customer_id: str,
    reported: Transaction,
    holds: Sequence[_Hold],
    candidates: Sequence[_Hold],
    markers: Markers,
) -> Reported | None:
    """Say which operation of others a transaction shows, a payment being of one of the candidates; None if it is ours or not known."""
    if not reported.amount or reported.created_at is None:
        return None
    amount = abs(reported.amount)
    named = marked(customer_id, reported, markers)
    change = change_of(reported)
    ours = next((each for each in holds if each.hold_id in named), None)
    kind: Kind
    held: _Hold | None = None
    if ours is not None:
        if change != ours.amount or reported.transaction_id == ours.transaction_id:
            return None
        kind, held = "cancel_hold", ours
    elif named or reported.transaction_id in {each.transaction_id for each in holds}:
        return None
    elif _is_payment(reported):
        kind = "chargeoff"
        same = [each for each in candidates if (each.wallet_id, each.amount) == (reported.wallet_id, amount)]
        held = same[0] if change == 0 and len(same) == 1 else None
    elif reported.type_name in REFILL_NAMES and (change is None or change > 0):
        kind = "topup"
    else:
        return None
    wallet_id = reported.wallet_id or (ours.wallet_id if ours else None)
    if wallet_id is None:
        return None
    operation = Operation(
        kind=kind,
        organization_id=organization_id if held is None else held.organization_id,
        customer_id=customer_id,
        wallet_id=wallet_id,
        amount=amount,
        order_id=reported.pos_order_id,
        hold_id=None if held is None else held.hold_id,
        consumes_hold=kind == "chargeoff" and held is not None,
        source=SOURCE,
        key=reported.transaction_id,
        requested_at=reported.created_at,
    )
    return Reported(place, operation, "confirmed", {"reason": "transactions_report"})
