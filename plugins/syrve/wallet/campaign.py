"""Campaigns of top-ups: versions of their lists, and what the ledger has of each row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from syrve.approvals.book import Content
from syrve.approvals.digest import digest_of
from syrve.wallet.errors import UnusableOperation
from syrve.wallet.operations import NOTHING_MOVED_TRY_AGAIN, Operation
from syrve.warehouse.database import Cursor
from syrve.warehouse.locks import lock_until_end
from syrve.warehouse.sql_files import sql

CREDITED_LATELY_DAYS = 30
UNNAMED = ("", "unnamed", "none", "campaign")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
NOT_LISTED = "row_is_not_listed"
"""Why the ledger refuses a row that the present list does not have (`wallet.refusal_to_send`)."""
_SENDABLE = NOTHING_MOVED_TRY_AGAIN | {"dropped", NOT_LISTED}


@dataclass(frozen=True, slots=True)
class TopupPlan:
    """What a version of a campaign would send now, and what the campaign did; amounts are text. `digest` names all rows of the version.

    `added`, `changed` and `removed` count rows against the version before; `credited_elsewhere` are rows to credit whose wallet another
    campaign credited within 30 days, or this one under a key that the list does not have. `problem` says which limit the plan is above.
    """

    campaign: str
    version: int
    rows: int
    to_credit: int
    to_credit_amount: str
    credited: int
    credited_amount: str
    unknown: int
    refused: int
    rejected_rows: int
    digest: str
    added: int = 0
    changed: int = 0
    removed: int = 0
    credited_elsewhere: int = 0
    is_given_up: bool = False
    problem: str | None = None

    @property
    def content(self) -> Content:
        """What a person approves."""
        return Content(
            "topup",
            subject_of(self.campaign, self.version),
            self.digest,
            self.to_credit,
            Decimal(self.to_credit_amount),
        )


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a campaign's list; number 0 is before the first."""

    number: int
    digest: str
    is_given_up: bool
    rejected_rows: int = 0


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A row of a campaign with its latest attempt (`attempt` 0: none); `is_listed` says whether the present version has it.

    `is_same` says whether the attempt has the content of the list.
    """

    row_key: str
    is_listed: bool
    organization_id: str
    customer_id: str
    wallet_id: str
    amount: Decimal
    comment: str | None
    attempt: int = 0
    operation_id: str | None = None
    state: str | None = None
    reason: str | None = None
    attempt_amount: Decimal | None = None
    is_same: bool = False

    @property
    def content(self) -> tuple[str, str, str, str, Decimal, str | None]:
        """What is approved of it."""
        return self.row_key, self.organization_id, self.customer_id, self.wallet_id, self.amount, self.comment

    @property
    def may_move(self) -> bool:
        """Whether nothing was sent for the row yet, or certainly nothing moved: it may be credited, with any content."""
        return self.state in (None, "planned") or (self.state == "rejected" and self.reason in _SENDABLE)

    @property
    def is_to_be_sent(self) -> bool:
        """Whether the row of the list still has to be credited, and may be."""
        return self.is_listed and self.may_move

    @property
    def is_ready(self) -> bool:
        """Whether the ledger has it planned as the list says."""
        return self.is_listed and self.state == "planned" and self.is_same

    @property
    def is_leftover(self) -> bool:
        """Whether the ledger has something planned that the list does not say."""
        return self.state == "planned" and not (self.is_listed and self.is_same)

    def operation(self, campaign: str, requested_at: datetime | None = None) -> Operation:
        """Return the next attempt."""
        return Operation(
            kind="topup",
            organization_id=self.organization_id,
            customer_id=self.customer_id,
            wallet_id=self.wallet_id,
            amount=self.amount,
            comment=self.comment,
            source=source_of(campaign),
            key=f"{self.row_key}:{self.attempt + 1}",
            requested_at=requested_at,
        )


def checked_name(campaign: object) -> str:
    """Return a campaign's id; raise `UnusableOperation` that says what it must be."""
    name = "" if campaign is None else str(campaign).strip()
    if name.casefold() in UNNAMED:
        raise UnusableOperation(
            "the campaign needs a unique id, such as spring-2027: the same id credits each row once"
        )
    if not _NAME.fullmatch(name):
        raise UnusableOperation(
            "the campaign's id may have letters, digits, dots, dashes and underscores, must begin with a letter or digit, and have at most "
            "100 characters"
        )
    return name


def source_of(campaign: str) -> str:
    """Return the namespace of a campaign's keys."""
    return f"topup:{campaign}"


def subject_of(campaign: str, version: int) -> str:
    """Return what an approval is about."""
    return f"campaign {campaign}, version {version}"


def digest_of_rows(campaign: str, rows: Iterable[CampaignRow]) -> str:
    """Return the digest of a version's rows, in any order."""
    listed = sorted((row.content for row in rows if row.is_listed), key=lambda content: content[0])
    return digest_of(("topup", campaign), listed)


def lock_campaign(cursor: Cursor, campaign: str) -> None:
    """Keep other runs off the campaign's versions until the transaction ends."""
    lock_until_end(cursor, source_of(campaign))


def latest_version(cursor: Cursor, campaign: str) -> Version:
    """Read the latest version of a campaign."""
    cursor.execute(sql("wallet/campaign_version.sql"), {"campaign": campaign})
    row = cursor.fetchone()
    return Version(0, "", False) if row is None else Version(*row)


def campaign_rows(cursor: Cursor, campaign: str, version: int) -> list[CampaignRow]:
    """Read the rows of a version and the attempts of all others, in the order of their keys."""
    values = {"source": source_of(campaign), "campaign": campaign, "version": version}
    cursor.execute(sql("wallet/campaign.sql"), values)
    return [CampaignRow(*row) for row in cursor.fetchall()]


def credited_elsewhere(cursor: Cursor, campaign: str, version: int) -> set[str]:
    """Return the keys of rows whose wallet was credited lately by another campaign, or by this one for a row that the version lacks."""
    values = {"source": source_of(campaign), "campaign": campaign, "version": version, "days": CREDITED_LATELY_DAYS}
    cursor.execute(sql("wallet/credited_elsewhere.sql"), values)
    return {row_key for (row_key,) in cursor.fetchall()}


def changes_since(former: Iterable[CampaignRow], rows: Iterable[CampaignRow]) -> dict[str, int]:
    """Count the rows of a list that were added, changed and removed against the one before."""
    was = {row.row_key: row.content for row in former if row.is_listed}
    now = {row.row_key: row.content for row in rows if row.is_listed}
    return {
        "added": len(now.keys() - was.keys()),
        "changed": sum(content != was[key] for key, content in now.items() if key in was),
        "removed": len(was.keys() - now.keys()),
    }


def summary(campaign: str, version: Version, rows: Sequence[CampaignRow], rejected_rows: int, **more: Any) -> TopupPlan:
    """Sum a version up."""
    sending = [row for row in rows if row.is_to_be_sent]
    credited = [row for row in rows if row.state == "confirmed"]
    return TopupPlan(
        campaign=campaign,
        version=version.number,
        rows=sum(row.is_listed for row in rows),
        to_credit=len(sending),
        to_credit_amount=total(row.amount for row in sending),
        credited=len(credited),
        credited_amount=total(row.attempt_amount or row.amount for row in credited),
        unknown=sum(row.state in ("sent", "unknown") for row in rows),
        refused=sum(row.is_listed and row.state == "rejected" and not row.may_move for row in rows),
        rejected_rows=rejected_rows,
        digest=version.digest,
        is_given_up=version.is_given_up,
        **more,
    )


def total(amounts: Iterable[Decimal]) -> str:
    """Return a sum as text."""
    return format(sum(amounts, Decimal(0)), "f")


def as_dict(plan: TopupPlan) -> dict[str, Any]:
    """Return a plan as plain values."""
    return asdict(plan)
