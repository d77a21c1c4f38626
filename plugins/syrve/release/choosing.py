"""Chooses the holds that a person is asked about, and pins them as they are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from syrve.approvals.book import approved_lately
from syrve.approvals.rules import MoneyLimits
from syrve.release.policy import DEFAULT_RULES, RULES, severities_from
from syrve.warehouse.copy_text import json_text
from syrve.warehouse.database import Cursor, Warehouse
from syrve.warehouse.errors import warehouse_errors
from syrve.warehouse.locks import lock_until_end
from syrve.warehouse.sql_files import sql

MOST_HOLDS = 100
"""No person can look at more than this in one question."""


@dataclass(frozen=True, slots=True)
class ReleaseChoice:
    """Which holds to ask about; `finding_ids`, where given, counts instead of rules, severity and age. No organizations: all of them."""

    organization_ids: Sequence[str] | None = None
    rules: Sequence[str] = DEFAULT_RULES
    min_severity: str = "low"
    min_age_minutes: int = 60
    finding_ids: Sequence[str] = ()
    max_holds: int = 20
    max_amount: Decimal | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.rules) - set(RULES))
        if unknown:
            raise ValueError(f"holds of the rule {unknown[0]!r} are not released; rules are {', '.join(RULES)}")
        if not 0 < self.max_holds <= MOST_HOLDS:
            raise ValueError(f"the number of holds must be 1 to {MOST_HOLDS}")
        severities_from(self.min_severity)


@dataclass(frozen=True, slots=True)
class ReleasePlan:
    """What a person will be asked: `request_id` names the question, None if there is none; amounts are text.

    `left_out` holds did not fit into the limits. `not_offered` says how many findings can't be offered, by reason.
    """

    request_id: str | None
    holds: int
    amount: str
    left_out: int
    not_offered: Mapping[str, int]
    hold_ids: Sequence[str]

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return asdict(self)


@dataclass(slots=True)
class _Offer:
    """A hold with the findings about it."""

    hold_id: str
    transaction_id: str
    organization_id: str
    customer_id: str
    wallet_id: str
    amount: Decimal
    hold_state: str
    opened_at: datetime
    order_id: str | None
    order_state: str | None
    findings: list[dict[str, Any]] = field(default_factory=list)

    def values(self) -> dict[str, Any]:
        """Return what is pinned; the first finding is the gravest."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "findings"}
        rules = sorted({each["rule"] for each in self.findings})
        return fields | {
            "rules": rules,
            "severity": self.findings[0]["severity"],
            "findings": json_text(self.findings),
        }


class ReleasePlanner:
    """Makes the question of one run; what the same run asked before and was not answered is taken back. Raises `WarehouseError`."""

    def __init__(
        self, warehouse: Warehouse, *, run_id: str, answer_seconds: float, limits: MoneyLimits | None = None
    ) -> None:
        self._limits = limits
        self._warehouse = warehouse
        self._run_id = run_id
        self._answer_seconds = answer_seconds

    def plan(self, choice: ReleaseChoice, *, dry_run: bool) -> ReleasePlan:
        """Choose and pin, all or nothing; a dry run tells the same and writes nothing."""
        self.take_back()
        with self._warehouse.connect() as connection, warehouse_errors("choose the holds to release"):
            with connection.cursor() as cursor:
                plan = self._choose(cursor, choice, dry_run=dry_run)
            connection.commit()
        return plan

    def take_back(self) -> None:
        """Take back what the run has asked and no user answered, so that another run may ask about these holds."""
        with self._warehouse.transaction("take a question back") as cursor:
            cursor.execute(sql("release/withdraw.sql"), {"run_id": self._run_id})

    def _choose(self, cursor: Cursor, choice: ReleaseChoice, *, dry_run: bool) -> ReleasePlan:
        # Two runs that choose at once must not both ask about a hold: the second waits, and then sees the first one's question.
        lock_until_end(cursor, "wallet.release")
        cursor.execute(
            sql("release/candidates.sql"),
            {
                "finding_ids": list(choice.finding_ids),
                "rules": list(choice.rules),
                "releasable": list(RULES),
                "severities": severities_from(choice.min_severity),
                "organization_ids": None if choice.organization_ids is None else list(choice.organization_ids),
                "min_age_seconds": choice.min_age_minutes * 60,
            },
        )
        offers, problems = _offers(cursor.fetchall())
        choice = self._limited(cursor, offers, choice, problems)
        fitting = list(_fitting(offers, choice))
        request_id = str(uuid4()) if fitting and not dry_run else None
        if request_id is not None:
            for place, offer in enumerate(fitting, 1):
                whose = {"request_id": request_id, "run_id": self._run_id, "place": place}
                cursor.execute(
                    sql("release/offer.sql"), offer.values() | whose | {"answer_seconds": self._answer_seconds}
                )
        amount = sum((each.amount for each in fitting), Decimal(0))
        return ReleasePlan(
            request_id=request_id,
            holds=len(fitting),
            amount=format(amount, "f"),
            left_out=len(offers) - len(fitting),
            not_offered=dict(problems),
            hold_ids=[each.hold_id for each in fitting],
        )

    def _limited(
        self, cursor: Cursor, offers: list[_Offer], choice: ReleaseChoice, problems: Counter[str]
    ) -> ReleaseChoice:
        """Take holds above the limit of a row out of the offers, and bound the choice by what is left of a run's and a day's limit."""
        if self._limits is None:
            return choice
        for offer in list(offers):
            problem = self._limits.row_problem(offer.amount)
            if problem is not None:
                problems[f"the hold of {problem}"] += len(offer.findings)
                offers.remove(offer)
        left = max(Decimal(0), self._limits.per_day - approved_lately(cursor, "release"))
        most = min(self._limits.per_run, left)
        return replace(choice, max_amount=most if choice.max_amount is None else min(most, choice.max_amount))


def _offers(rows: Sequence[tuple[Any, ...]]) -> tuple[list[_Offer], Counter[str]]:
    """Group findings by hold, in the order of the gravest; count those that can't be offered by reason."""
    offers: dict[str, _Offer] = {}
    problems: Counter[str] = Counter()
    names = ("finding_id", "rule", "severity", "status", "version", "amount_at_risk")
    for row in rows:
        *fields, problem = row
        if problem is not None:
            problems[problem] += 1
            continue
        hold = fields[len(names) :]
        offer = offers.setdefault(hold[0], _Offer(*hold))
        offer.findings.append(dict(zip(names, fields[: len(names)], strict=True)))
    return list(offers.values()), problems


def _fitting(offers: Sequence[_Offer], choice: ReleaseChoice) -> Iterator[_Offer]:
    """Yield the offers that fit into the limits; one that is too large for what is left makes way for the next."""
    count, amount = 0, Decimal(0)
    for offer in offers:
        if count >= choice.max_holds:
            return
        if choice.max_amount is not None and amount + offer.amount > choice.max_amount:
            continue
        count, amount = count + 1, amount + offer.amount
        yield offer
