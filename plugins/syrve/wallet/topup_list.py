"""Reads the list of a campaign and keeps it as a version: what a person is asked about. Nothing can be sent from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from syrve.approvals.errors import LimitExceeded
from syrve.approvals.rules import MoneyLimits
from syrve.sources.bad_rows import BadRows
from syrve.sources.columns import Columns
from syrve.sources.errors import BadRow
from syrve.sources.rejects import ImportRejects, Place
from syrve.sources.row import Row
from syrve.sources.source import Chunk, as_source
from syrve.wallet.campaign import (
    CampaignRow,
    TopupPlan,
    Version,
    campaign_rows,
    changes_since,
    checked_name,
    credited_elsewhere,
    digest_of_rows,
    latest_version,
    lock_campaign,
    source_of,
    summary,
)
from syrve.wallet.errors import UnusableOperation
from syrve.wallet.ledger import Ledger
from syrve.wallet.operations import amount_problem
from syrve.wallet.take_in import prepare
from syrve.warehouse.copy_text import copy_line, copy_lines
from syrve.warehouse.database import Connection, Cursor, Warehouse, transaction
from syrve.warehouse.errors import warehouse_errors
from syrve.warehouse.runs import Counts, TaskKey, add_counts
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging

COLUMNS = Columns(
    ("organization_id", "key", "customer_id", "phone", "wallet_id", "amount"),
    aliases={"id": "customer_id"},
    any_of=("customer_id", "phone"),
    needed=("amount",),
)
ENTITY = "topup"
SHOWN = ("key", "customer_id", "phone")
_ROW_COLUMNS = ("campaign", "version", "row_key", "organization_id", "customer_id", "wallet_id", "amount", "comment")


@dataclass(frozen=True, slots=True)
class _Person:
    customers: int
    customer_id: str
    wallets: int
    wallet_id: str
    disagrees: bool


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
        limits: MoneyLimits | None = None,
        place: Place | None = None,
        bad_rows: BadRows | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._key = key
        self._campaign = checked_name(campaign)
        self._to_e164 = to_e164
        self._organization_id = organization_id
        self._wallet_type = wallet_type
        self._comment = comment
        self._amount_scale = amount_scale
        self._limits = limits
        place = place or Place(source_of(self._campaign))
        self._rejects = ImportRejects(key, ENTITY, SHOWN, place=place, bad_rows=bad_rows)

    def plan(self, source: Any, *, dry_run: bool) -> TopupPlan:
        """Keep the list as the campaign's version, all or nothing, and return what it would send.

        A dry run returns the same and keeps only the rejects. What the version before had planned, and this one does not say, never will
        be sent. Raises `UnusableSource`, and `LimitExceeded` unless it is a dry run.
        """
        counts = Counts()
        with self._warehouse.connect() as connection:
            prepare_staging(connection)
            prepare(connection)
            with warehouse_errors("plan a campaign"):
                plan = self._plan_all(connection, source, counts)
                if dry_run or plan.problem is not None:
                    connection.rollback()
                else:
                    connection.commit()
            with transaction(connection, "keep what a campaign could not import") as cursor:
                self._rejects.write(cursor)
                add_counts(cursor, self._key, counts)
        if not dry_run:
            if plan.problem is not None:
                raise LimitExceeded(f"campaign {self._campaign}: {plan.problem}; nothing is planned")
            drop_leftovers(Ledger(self._warehouse), self._campaign)
        return plan

    def give_up(self, *, dry_run: bool = False) -> TopupPlan:
        """Make an empty version, so that nothing of the campaign can be sent, and drop what was planned; a dry run changes nothing."""
        with self._warehouse.transaction("give a campaign up") as cursor:
            lock_campaign(cursor, self._campaign)
            former = latest_version(cursor, self._campaign)
            rows = campaign_rows(cursor, self._campaign, former.number)
            version = Version(former.number + 1, digest_of_rows(self._campaign, ()), is_given_up=True)
            left = [replace(row, is_listed=False) for row in rows if row.attempt]
            plan = summary(self._campaign, version, left, 0, removed=sum(row.is_listed for row in rows))
            if dry_run:
                return plan
            if former.is_given_up:
                plan = replace(plan, version=former.number)
            else:
                self._write_version(cursor, version, [], 0)
        drop_leftovers(Ledger(self._warehouse), self._campaign)
        return plan

    def _plan_all(self, connection: Connection, source: Any, counts: Counts) -> TopupPlan:
        with connection.cursor() as cursor:
            lock_campaign(cursor, self._campaign)
            former = latest_version(cursor, self._campaign)
            known = {row.row_key: row for row in campaign_rows(cursor, self._campaign, former.number)}
            wanted: dict[str, CampaignRow] = {}
            self._rejects.prepare(cursor)
            for chunk in as_source(source).chunks(COLUMNS):
                counts.requested += len(chunk.rows) + len(chunk.bad)
                self._read_chunk(cursor, chunk, known, wanted)
            counts.rejected = self._rejects.count
            version = self._keep(cursor, former, list(wanted.values()))
            listed = {key: row for key, row in known.items() if row.is_listed}
            counts.changed = len(wanted.keys() - listed.keys())
            counts.unchanged = len(wanted) - counts.changed
            return self._sum_up(cursor, version, listed)

    def _sum_up(self, cursor: Cursor, version: Version, former: dict[str, CampaignRow]) -> TopupPlan:
        rows = campaign_rows(cursor, self._campaign, version.number)
        sending = {row.row_key: row for row in rows if row.is_to_be_sent}
        amount = sum((row.amount for row in sending.values()), Decimal(0))
        return summary(
            self._campaign,
            version,
            rows,
            self._rejects.count,
            **changes_since(former.values(), rows),
            credited_elsewhere=len(credited_elsewhere(cursor, self._campaign, version.number) & sending.keys()),
            problem=None if self._limits is None else self._limits.run_problem(amount),
        )

    def _keep(self, cursor: Cursor, former: Version, rows: list[CampaignRow]) -> Version:
        digest = digest_of_rows(self._campaign, rows)
        if former.number and former.digest == digest and not former.is_given_up:
            return former
        version = Version(former.number + 1, digest, is_given_up=False)
        self._write_version(cursor, version, rows, self._rejects.count)
        return version

    def _write_version(self, cursor: Cursor, version: Version, rows: list[CampaignRow], rejected_rows: int) -> None:
        values = {
            "campaign": self._campaign,
            "version": version.number,
            "digest": version.digest,
            "is_given_up": version.is_given_up,
            "rows": len(rows),
            "amount": sum((row.amount for row in rows), Decimal(0)),
            "rejected_rows": rejected_rows,
            "run_id": self._key.run_id,
        }
        cursor.execute(sql("wallet/campaign_new_version.sql"), values)
        lines = [copy_line((self._campaign, version.number, *row.content)) for row in rows]
        copy_lines(cursor, "wallet.campaign_row", _ROW_COLUMNS, lines)

    def _read_chunk(
        self, cursor: Cursor, chunk: Chunk, known: dict[str, CampaignRow], wanted: dict[str, CampaignRow]
    ) -> None:
        for bad in chunk.bad:
            self._rejects.line(bad)
        people = self._people(cursor, chunk.rows)
        for place, row in enumerate(chunk.rows):
            try:
                one = self._row(row, people.get(place))
                if one.row_key in wanted:
                    raise BadRow("the list has this row before; rows that credit a customer twice need different keys")
                _check_former(one, known.get(one.row_key))
                wanted[one.row_key] = one
            except (BadRow, UnusableOperation) as problem:
                self._rejects.row(row, str(problem))
            else:
                self._rejects.landed(row, None)

    def _people(self, cursor: Cursor, rows: list[Row]) -> dict[int, _Person]:
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
        return {place: _Person(*found) for place, *found in cursor.fetchall()}

    def _row(self, row: Row, person: _Person | None) -> CampaignRow:
        organization_id = row.uuid("organization_id") or self._organization_id
        if organization_id is None:
            raise BadRow("organization_id is missing")
        row.uuid("customer_id"), row.uuid("wallet_id")
        phone = row.code("phone")
        if not row.text("customer_id") and not phone:
            raise BadRow("has no customer_id and no phone")
        if phone and self._to_e164(phone) is None:
            raise BadRow("phone is not a phone number")
        one = _checked(person or _Person(0, "", 0, "", False))
        amount = row.amount("amount", needed=True)
        problem = amount_problem(amount, self._amount_scale)
        if problem is None and amount is not None and self._limits is not None:
            problem = self._limits.row_problem(amount)
        if problem or amount is None:
            raise BadRow(problem or "amount is missing")
        key = row.code("key")  # through any organization of a network, a wallet is one
        row_key = f"{organization_id}:{key}" if key else f"{one.customer_id}:{one.wallet_id}"
        wanted = CampaignRow(row_key, True, organization_id, one.customer_id, one.wallet_id, amount, self._comment)
        wanted.operation(self._campaign).checked(self._amount_scale)
        return wanted


def drop_leftovers(ledger: Ledger, campaign: str) -> None:
    """Drop what a campaign has planned and its present list does not say, so that it never will be sent."""
    with ledger.warehouse.transaction("read a campaign") as cursor:
        rows = campaign_rows(cursor, campaign, latest_version(cursor, campaign).number)
    for row in rows:
        if row.is_leftover and row.operation_id is not None:
            ledger.drop(row.operation_id, "the campaign's present list does not have it")


def _checked(person: _Person) -> _Person:
    if person.customers != 1:
        raise BadRow(
            "the mirror knows no such customer" if not person.customers else "several customers have this phone"
        )
    if person.disagrees:
        raise BadRow("customer_id and phone disagree: the mirror has another phone of this customer, or none")
    if person.wallets != 1:
        raise BadRow(
            "the customer has no such wallet"
            if not person.wallets
            else "the customer has several wallets; name wallet_id"
        )
    return person


def _check_former(wanted: CampaignRow, former: CampaignRow | None) -> None:
    """Refuse a row that was sent with other content: it is credited once, even if the list changes later."""
    if former is None or former.may_move:
        return
    same = (wanted.customer_id, wanted.wallet_id) == (former.customer_id, former.wallet_id)
    if not same or wanted.amount != (former.attempt_amount or former.amount):
        raise BadRow("the campaign has this row with another customer, wallet or amount")
