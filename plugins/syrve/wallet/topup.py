"""Bulk top-up: a campaign's list is planned in the ledger, approved as a whole, and sent row by row, each credited at most once.

The campaign's id is the namespace of the keys, so the same list, or one that overlaps it, credits nobody twice. A row whose call certainly
was not carried out gets another attempt; one whose outcome is unknown never does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from syrve.sources.bad_rows import BadRows
from syrve.sources.columns import Columns
from syrve.sources.errors import BadRow
from syrve.sources.rejects import ImportRejects, Place
from syrve.sources.row import Row
from syrve.sources.source import Chunk, as_source
from syrve.wallet.campaign import CampaignRow, TopupPlan, campaign_rows, source_of, summary
from syrve.wallet.errors import PaymentUnsettled, PlanChanged, TopupIncomplete, UnusableOperation
from syrve.wallet.ledger import Ledger
from syrve.wallet.money import Money
from syrve.wallet.operations import Operation, OperationState, amount_problem
from syrve.wallet.settle import Settler
from syrve.wallet.take_in import Told, prepare, take_in
from syrve.warehouse.copy_text import copy_line, copy_lines
from syrve.warehouse.database import Connection, Cursor, Warehouse, transaction
from syrve.warehouse.errors import warehouse_errors
from syrve.warehouse.runs import Counts, Reject, TaskKey, add_counts, add_rejects
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging

log = logging.getLogger(__name__)

COLUMNS = Columns(
    ("organization_id", "key", "customer_id", "phone", "wallet_id", "amount"),
    aliases={"id": "customer_id"},
    any_of=("customer_id", "phone"),
    needed=("amount",),
)
ENTITY = "topup"
SHOWN = ("key", "customer_id", "phone")
MAX_FAILURES_IN_A_ROW = 3


class TopupList:
    """Plans the rows of a campaign; `amount_scale` as in `WalletSettings`, `wallet_type` chooses the wallet of rows that name none."""

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        key: TaskKey,
        campaign: str,
        to_e164: Callable[[str], str | None],
        organization_id: str | None = None,
        wallet_type: int | None = None,
        comment: str | None = None,
        amount_scale: int = 2,
        place: Place | None = None,
        bad_rows: BadRows | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._key = key
        self._campaign = campaign
        self._to_e164 = to_e164
        self._organization_id = organization_id
        self._wallet_type = wallet_type
        self._comment = comment
        self._amount_scale = amount_scale
        self._rejects = ImportRejects(key, ENTITY, SHOWN, place=place or Place(source_of(campaign)), bad_rows=bad_rows)

    def plan(self, source: Any, *, dry_run: bool) -> TopupPlan:
        """Write the rows down as planned operations, all or none; a dry run tells the same and writes only what could not be taken in."""
        counts = Counts()
        with self._warehouse.connect() as connection:
            prepare_staging(connection)
            prepare(connection)
            with warehouse_errors("plan a campaign"):
                plan = self._plan_all(connection, source, counts)
                if dry_run:
                    connection.rollback()
                else:
                    connection.commit()
            with transaction(connection, "keep what a campaign could not take in") as cursor:
                self._rejects.write(cursor)
                add_counts(cursor, self._key, counts)
        return plan

    def give_up(self) -> TopupPlan:
        """Drop what the campaign has planned and not sent, so that it never will be."""
        ledger = Ledger(self._warehouse)
        with self._warehouse.transaction("read a campaign") as cursor:
            rows = campaign_rows(cursor, self._campaign)
        for row in rows:
            if row.state == "planned":
                ledger.drop(row.operation_id, "the campaign was given up")
        with self._warehouse.transaction("read a campaign") as cursor:
            return summary(self._campaign, campaign_rows(cursor, self._campaign), 0)

    def _plan_all(self, connection: Connection, source: Any, counts: Counts) -> TopupPlan:
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (source_of(self._campaign),))
            attempts = {each.row_key: each for each in campaign_rows(cursor, self._campaign)}
            self._rejects.prepare(cursor)
            for chunk in as_source(source).chunks(COLUMNS):
                counts.requested += len(chunk.rows) + len(chunk.bad)
                self._plan_chunk(cursor, chunk, attempts, counts)
            counts.rejected = self._rejects.count
            return summary(self._campaign, campaign_rows(cursor, self._campaign), self._rejects.count)

    def _plan_chunk(self, cursor: Cursor, chunk: Chunk, attempts: dict[str, CampaignRow], counts: Counts) -> None:
        rows = chunk.rows
        for bad in chunk.bad:
            self._rejects.line(bad)
        people = self._people(cursor, rows)
        told = []
        for place, row in enumerate(rows):
            try:
                told.append(Told(place, self._operation(row, people.get(place), attempts), "planned"))
            except (BadRow, UnusableOperation) as problem:
                self._rejects.row(row, str(problem))
        taken = take_in(cursor, told)
        for place, reason in sorted(taken.conflicts.items()):
            self._rejects.row(rows[place], reason)
        for each in told:
            if each.place not in taken.conflicts:
                self._rejects.landed(rows[each.place], None)
        counts.changed += taken.added
        counts.unchanged += len(told) - taken.added - len(taken.conflicts)

    def _people(self, cursor: Cursor, rows: list[Row]) -> dict[int, tuple[int, str, int, str]]:
        lines = []
        for place, row in enumerate(rows):
            try:
                organization_id = row.uuid("organization_id") or self._organization_id
                phone = row.code("phone")
                who = (row.uuid("customer_id"), self._to_e164(phone) if phone else None, row.uuid("wallet_id"))
            except BadRow:
                continue
            if organization_id is not None:
                lines.append(copy_line((place, organization_id, *who)))
        cursor.execute("truncate staging_person")
        copy_lines(cursor, "staging_person", ("place", "organization_id", "customer_id", "phone", "wallet_id"), lines)
        cursor.execute(sql("wallet/people.sql"), {"wallet_type": self._wallet_type})
        return {place: tuple(found) for place, *found in cursor.fetchall()}

    def _operation(
        self, row: Row, person: tuple[int, str, int, str] | None, attempts: dict[str, CampaignRow]
    ) -> Operation:
        organization_id = row.uuid("organization_id") or self._organization_id
        if organization_id is None:
            raise BadRow("organization_id is missing")
        row.uuid("customer_id"), row.uuid("wallet_id")
        if not row.text("customer_id") and not row.code("phone"):
            raise BadRow("has no customer_id and no phone")
        customers, customer_id, wallets, wallet_id = person or (0, "", 0, "")
        if customers != 1:
            raise BadRow("the mirror knows no such customer" if not customers else "several customers have this phone")
        if wallets != 1:
            raise BadRow(
                "the customer has no such wallet" if not wallets else "the customer has several wallets; name wallet_id"
            )
        amount = row.amount("amount", needed=True)
        problem = amount_problem(amount, self._amount_scale)
        if problem:
            raise BadRow(problem)
        row_key = f"{organization_id}:{row.code('key') or f'{customer_id}:{wallet_id}'}"
        latest = attempts.get(row_key)
        attempt = 1 if latest is None else latest.attempt + (latest.state == "rejected" and latest.is_to_be_sent)
        operation = Operation(
            kind="topup",
            organization_id=organization_id,
            customer_id=customer_id,
            wallet_id=wallet_id,
            amount=amount,
            comment=self._comment,
            source=source_of(self._campaign),
            key=f"{row_key}:{attempt}",
            requested_at=datetime.now(UTC),
        ).checked(self._amount_scale)
        if latest is not None and (latest.customer_id, latest.wallet_id, latest.amount) != (
            customer_id,
            wallet_id,
            amount,
        ):
            raise BadRow("the campaign has this row with another customer, wallet or amount")
        return operation


class TopupRun:
    """Sends what a campaign still has to send; safe to kill, to repeat, and to run twice at once."""

    def __init__(self, money: Money, *, key: TaskKey, campaign: str) -> None:
        self._money = money
        self._settler = Settler(money)
        self._ledger = money.ledger
        self._key = key
        self._campaign = campaign

    def send(self, digest: str) -> Counts:
        """Send the rows that were approved under the digest; `changed` counts those credited now.

        Raises `PlanChanged` where the campaign is not what was approved, `TopupIncomplete` where rows are left to send, `PaymentUnsettled`
        where the outcome of some is unknown once all others are done.
        """
        rows = self._rows()
        if summary(self._campaign, rows, 0).digest != digest:
            raise PlanChanged("the campaign has other rows or amounts than were approved; run the plan again")
        counts = Counts(requested=len(rows))
        refused: list[Reject] = []
        failures = 0
        try:
            for row in rows:
                before = row.state
                done = self._settled(self._send(row) if row.is_to_be_sent else self._ledger.state(row.operation_id))
                counts.changed += before != "confirmed" and done.state == "confirmed"
                counts.unchanged += before == "confirmed"
                failures = failures + 1 if done.may_be_tried_again else 0
                if done.state == "rejected" and not done.may_be_tried_again:
                    refused.append(_refusal(row, done))
                if failures >= MAX_FAILURES_IN_A_ROW or done.needs_somebody:
                    raise TopupIncomplete(
                        f"nothing can be sent now ({done.why_nothing_moved}); the rest is left planned"
                    )
        finally:
            counts.rejected = len(refused)
            self._keep(counts, refused)
        return self._ended(counts)

    def _ended(self, counts: Counts) -> Counts:
        left = self._rows()
        unknown = sum(row.state in ("sent", "unknown") for row in left)
        if any(row.is_to_be_sent for row in left):
            raise TopupIncomplete(
                f"{sum(row.is_to_be_sent for row in left)} row(s) could not be sent; nothing moved for them"
            )
        if unknown:
            raise PaymentUnsettled(
                f"the outcome of {unknown} row(s) is unknown; they are not sent again, see wallet.unsettled_operation"
            )
        return counts

    def _rows(self) -> list[CampaignRow]:
        with self._ledger.warehouse.transaction("read a campaign") as cursor:
            return campaign_rows(cursor, self._campaign)

    def _send(self, row: CampaignRow) -> OperationState:
        operation_id = row.operation_id
        if row.state == "rejected":
            again = Operation(
                kind="topup",
                organization_id=row.organization_id,
                customer_id=row.customer_id,
                wallet_id=row.wallet_id,
                amount=row.amount,
                comment=row.comment,
                source=source_of(self._campaign),
                key=f"{row.row_key}:{row.attempt + 1}",
            )
            operation_id = self._ledger.plan(again).operation_id
        return self._money.execute(operation_id)

    def _settled(self, operation: OperationState) -> OperationState:
        if operation.state in ("sent", "unknown"):
            return self._settler.settle(operation.operation_id).operation
        return operation

    def _keep(self, counts: Counts, refused: list[Reject]) -> None:
        with self._ledger.warehouse.connect() as connection:
            prepare_staging(connection)
            with transaction(connection, "count what a campaign sent") as cursor:
                add_rejects(cursor, self._key.run_id, refused)
                add_counts(cursor, self._key, counts)


def _refusal(row: CampaignRow, done: OperationState) -> Reject:
    reason = f"{done.evidence.get('reason')} {done.evidence.get('code', '')}".strip()
    payload = {"operation_id": done.operation_id, "amount": format(row.amount, "f")}
    return Reject(ENTITY, row.organization_id, f"customer_id {row.customer_id}", "wallet_topup", reason, payload)
