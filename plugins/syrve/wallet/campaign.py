"""The rows of a top-up campaign as the ledger has them."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from syrve.wallet.operations import NOTHING_MOVED_TRY_AGAIN
from syrve.warehouse.database import Cursor
from syrve.warehouse.sql_files import sql


@dataclass(frozen=True, slots=True)
class TopupPlan:
    """What a campaign would send now, and what it did; amounts as text. `digest` names the rows and amounts that a person approves."""

    campaign: str
    rows: int
    to_credit: int
    to_credit_amount: str
    credited: int
    credited_amount: str
    unknown: int
    refused: int
    rejected_rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """One row of a campaign with its latest attempt."""

    row_key: str
    attempt: int
    operation_id: str
    organization_id: str
    customer_id: str
    wallet_id: str
    amount: Decimal
    comment: str | None
    state: str
    reason: str | None

    @property
    def is_to_be_sent(self) -> bool:
        """Whether the row still has to be credited, and may be."""
        return self.state == "planned" or (self.state == "rejected" and self.reason in NOTHING_MOVED_TRY_AGAIN)


def source_of(campaign: str) -> str:
    """Return the namespace of a campaign's keys."""
    return f"topup:{campaign}"


def campaign_rows(cursor: Cursor, campaign: str) -> list[CampaignRow]:
    """Read the rows of a campaign, in the order of their keys."""
    cursor.execute(sql("wallet/campaign.sql"), {"source": source_of(campaign)})
    return [CampaignRow(*row) for row in cursor.fetchall()]


def summary(campaign: str, rows: list[CampaignRow], rejected_rows: int) -> TopupPlan:
    """Sum a campaign up."""
    sending = [row for row in rows if row.is_to_be_sent]
    credited = [row for row in rows if row.state == "confirmed"]
    content = "\n".join(f"{row.row_key} {row.amount.normalize():f}" for row in rows)
    return TopupPlan(
        campaign=campaign,
        rows=len(rows),
        to_credit=len(sending),
        to_credit_amount=format(sum((row.amount for row in sending), Decimal(0)), "f"),
        credited=len(credited),
        credited_amount=format(sum((row.amount for row in credited), Decimal(0)), "f"),
        unknown=sum(row.state in ("sent", "unknown") for row in rows),
        refused=sum(row.state == "rejected" and not row.is_to_be_sent for row in rows),
        rejected_rows=rejected_rows,
        digest=hashlib.sha256(content.encode()).hexdigest()[:16],
    )


def as_dict(plan: TopupPlan) -> dict[str, Any]:
    """Return a plan as plain values."""
    return asdict(plan)
