"""Fits the policy of look-ups to the roster and the budgets as they are now: `syrve.customers.freshness` with its tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Any

from syrve.customers.freshness import BANDS, Budgeted, Cell, Fit, Outlook, SignalEvidence, demand, learn, spend
from syrve.customers.pull_settings import PullSettings
from syrve.warehouse.database import Cursor, fetch_one
from syrve.warehouse.sql_files import sql

SAMPLE_IDENTITIES = 100_000
"""A roster of up to twice as many is read as a whole, of a larger one about this many."""
LEAST_SHARE = 0.1
"""Share of its budget that a pull counts on in any case."""
CATCH_UP_DAYS, CATCH_UP_ROUNDS = 7.0, 0.5
"""Time in which a queue of overdue look-ups is worked off: this many days, or this many rounds of all customers if that is longer."""
CATCH_UP_SHARE = 0.5
"""Most of what is left that this may take: more would only delay all others by as much."""
_DAY_SECONDS = 86400.0
_NOTHING = (0.0,) * BANDS
_Evidence = tuple[tuple[float, ...], tuple[float, ...], SignalEvidence]
"""Changes observed and expected by band, and what says how good signals are."""


@dataclass(slots=True)
class Account:
    """One api login: its look-ups per day, and its organizations by id."""

    calls_per_day: float
    other_calls_per_day: float
    parts: dict[str, Budgeted]
    overdue: float = 0.0

    @property
    def lookups_per_day(self) -> float:
        """What is left for the queue, after other work and after catching up."""
        round_days = sum(part.identities for part in self.parts.values()) / self.calls_per_day
        left = self.calls_per_day - self.other_calls_per_day
        behind = max(0.0, self.overdue - self.calls_per_day / 8) / max(CATCH_UP_DAYS, CATCH_UP_ROUNDS * round_days)
        return max(LEAST_SHARE * self.calls_per_day, left - min(behind, CATCH_UP_SHARE * left))


def refit(cursor: Cursor, settings: PullSettings | None = None) -> dict[str, Outlook]:
    """Learn from the evidence since the last fit, divide each account's budget again, and return what it buys by account.

    Costs the same for ten million identities as for a hundred thousand, and writes one row per organization.
    """
    outlooks = {}
    for account, known in read_accounts(cursor, settings or PullSettings(), take_evidence=True).items():
        outlook = outlooks[account] = spend(list(known.parts.values()), known.lookups_per_day)
        for organization_id, part in known.parts.items():
            _write(cursor, organization_id, part, outlook)
    return outlooks


def read_accounts(
    cursor: Cursor, settings: PullSettings, *, take_evidence: bool, sample_identities: int = SAMPLE_IDENTITIES
) -> dict[str, Account]:
    """Read the organizations of each account with a budget and what is learned of them, as it is now.

    With `take_evidence` that of the batches since is used up: the caller stores the fits. About `sample_identities` of the roster are
    read, or all of it up to twice as many.
    """
    cursor.execute(sql("roster/supply.sql"))
    supply = cursor.fetchall()
    cells, overdue = _cells(cursor, sample_identities)
    evidence: dict[str, _Evidence] = {}
    if take_evidence:
        cursor.execute(sql("roster/evidence.sql"), {"organization_ids": [row[0] for row in supply]})
        evidence = {
            each: (tuple(observed), tuple(expected), SignalEvidence(*signals))
            for each, observed, expected, signals in cursor.fetchall()
        }
    accounts: dict[str, Account] = {}
    for organization_id, name, calls, others, max_age, min_interval, *fitted in supply:
        account = accounts.setdefault(name, Account(calls, others, {}))
        account.overdue += overdue[organization_id]
        account.parts[organization_id] = Budgeted(
            _learned(fitted, cells[organization_id], evidence.get(organization_id)),
            cells[organization_id],
            min_days=(min_interval or settings.min_interval_seconds) / _DAY_SECONDS,
            max_age_days=(max_age or settings.max_age_seconds) / _DAY_SECONDS,
        )
    return accounts


def _learned(fitted: list[Any], cells: list[Cell], evidence: _Evidence | None) -> Fit:
    shape, mean, observed, expected, signals, age_days, trusts_signals = fitted
    known = Fit(trusts_signals=trusts_signals)
    if shape is not None:
        known = Fit(shape, mean, tuple(observed), tuple(expected), SignalEvidence(*signals), trusts_signals)
        if evidence is None:
            return known
    observed, expected, signals = evidence or (_NOTHING, _NOTHING, SignalEvidence())
    return learn(known, cells, observed, expected, age_days or 0.0, signals)


def _cells(cursor: Cursor, sample_identities: int) -> tuple[defaultdict[str, list[Cell]], defaultdict[str, float]]:
    cursor.execute("select reltuples from pg_class where oid = 'sync.roster'::regclass")
    size = float(fetch_one(cursor)[0])
    percent = 100.0 if size <= 2 * sample_identities else 100.0 * sample_identities / size
    cursor.execute(sql("roster/sample.sql"), {"percent": percent, "scale": 100.0 / percent})
    cells: defaultdict[str, list[Cell]] = defaultdict(list)
    overdue: defaultdict[str, float] = defaultdict(float)
    rows: Iterable[tuple[Any, ...]] = cursor.fetchall()
    for organization_id, band, weight, count, changes, exposure_days, still_comes, late in rows:
        cells[organization_id].append(Cell(band, count, changes, exposure_days, weight, still_comes))
        overdue[organization_id] += late
    return cells, overdue


def _write(cursor: Cursor, organization_id: str, part: Budgeted, outlook: Outlook) -> None:
    values = {
        "organization_id": organization_id,
        "shape": part.fit.shape,
        "mean_per_day": part.fit.mean_per_day,
        "calibration": list(part.fit.calibration),
        "theta": outlook.theta,
        "max_interval_days": part.longest_days,
        "observed": list(part.fit.observed),
        "expected": list(part.fit.expected),
        "identities": round(part.identities),
        "lookups_per_day": demand(part.shares(), outlook.theta),
        "keeps_max_age": outlook.keeps_max_age,
        "signalled_share": part.fit.signalled_share,
        "signal_evidence": list(astuple(part.fit.signals)),
    }
    cursor.execute(sql("roster/fit.sql"), values)
