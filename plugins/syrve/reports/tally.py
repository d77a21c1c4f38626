"""Adds up the open findings chunk by chunk, so that a report of many costs no more memory than one of few."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import pandas as pd

from syrve.reports.cells import AGES, age_of
from syrve.severity import SEVERITIES

GRAVEST_FIRST = SEVERITIES[::-1]
_KEYS = ["rule", "age", "organization_id", "severity"]


@dataclass(slots=True)
class Tally:
    """Sums of the open findings by rule, age, organization and severity, and the gravest of them as rows."""

    top: int = 50
    sums: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=[*_KEYS, "findings", "unpriced", "amount", "once"])
    )
    gravest: pd.DataFrame = field(default_factory=pd.DataFrame)
    oldest_seconds: int = 0

    def add(self, chunk: pd.DataFrame) -> None:
        """Add findings with the columns of `sql/report/open_findings.sql`; amounts are Decimals or None."""
        if chunk.empty:
            return
        rows = pd.DataFrame({name: chunk[name] for name in ("rule", "organization_id", "severity")})
        rows["age"] = chunk["age_seconds"].map(age_of)
        rows["findings"] = 1
        rows["unpriced"] = chunk["amount_at_risk"].isna().astype(int)
        rows["amount"] = chunk["amount_at_risk"].map(_amount).astype(object)
        rows["once"] = chunk["amount_once"].map(_amount).astype(object)
        self.sums = pd.concat([self.sums, rows]).groupby(_KEYS, as_index=False).sum()
        self.oldest_seconds = max(self.oldest_seconds, int(chunk["age_seconds"].max()))
        self.gravest = _gravest(pd.concat([self.gravest, chunk]), self.top)

    @property
    def findings(self) -> int:
        """How many findings are open."""
        return int(self.sums["findings"].sum())

    @property
    def unpriced(self) -> int:
        """How many of them have no amount."""
        return int(self.sums["unpriced"].sum())

    @property
    def at_risk(self) -> Decimal:
        """Money at risk, that of a hold with several findings counted once."""
        return sum(self.sums["once"], Decimal(0))

    def counts(self, key: str) -> dict[str, int]:
        """Return how many findings there are by a key."""
        return {str(name): int(count) for name, count in self.sums.groupby(key)["findings"].sum().items()}

    def table(self, rows: str, columns: str, value: str) -> pd.DataFrame:
        """Return sums of `value` (`amount` or `once`) by two keys, the largest row first; missing ones are zero."""
        order = AGES if columns == "age" else GRAVEST_FIRST
        if self.sums.empty:
            return pd.DataFrame(columns=list(order), dtype=object)
        summed = self.sums.groupby([rows, columns])[value].sum().unstack(columns)
        wide = summed.reindex(columns=list(order)).astype(object).map(_amount)
        total = wide.sum(axis=1)
        return wide.loc[sorted(wide.index, key=lambda name: (-total[name], name))]


def _gravest(rows: pd.DataFrame, top: int) -> pd.DataFrame:
    rank = {severity: place for place, severity in enumerate(GRAVEST_FIRST)}
    order = pd.DataFrame(
        {
            "severity": rows["severity"].map(rank),
            "amount": rows["amount_at_risk"].map(lambda amount: -_amount(amount)),
            "first_seen_at": rows["first_seen_at"],
            "finding_id": rows["finding_id"],
        }
    )
    places = order.reset_index(drop=True).sort_values(list(order.columns)).index[:top]
    return rows.iloc[places].reset_index(drop=True)


def _amount(value: Decimal | None) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(0)
