"""How a fixed number of look-ups is spent so that changes wait least: what is learned from a roster, and the threshold that follows.

An interval T and a rate of change r cost weight x r x T / 2 of delay per day and customer. For a fixed number of look-ups the sum is least
if T = theta / sqrt(weight x r), where theta is such that demand equals the budget. Rates are gamma distributed within an organization;
each customer's own distribution starts there and follows what look-ups find (`sql/roster/finish.sql`). Where signals report a share of the
changes, only the others wait for a look-up, and a signal puts the next one off (`sync.refresh_days`). No I/O here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field

BANDS = 31
"""Bands of customers, each with its own correction: `sync.change_band`."""
EVIDENCE_HALF_LIFE_DAYS = 120.0
SIGNAL_HALF_LIFE_DAYS = 14.0
SIGNAL_DOUBT = 4.0
"""Changes that the share of signals is as unsure of."""
LEAST_REPORTED = 20.0
MOST_SIGNALLED = 0.95
LEAST_SIGNALS = 1e-6
"""Signals within an interval that are as good as none."""
CALIBRATION_DOUBT = 10.0
"""Changes seen that a band's correction is as sure of as of having none."""
SHAPE_RANGE = (0.15, 200.0)
LEAST_CUSTOMERS = 20.0
"""Customers that must have been watched before anything is learned of their distribution."""
PRIOR_CUSTOMERS = 5.0
"""Customers of a distribution with a shape of about 1 that are reckoned among those watched."""
MOST_STEPS_AHEAD = 20.0
"""How far a fit goes ahead along the way that its steps take: where nearly all are alike they are tiny."""
FIRST_SHAPE, FIRST_MEAN_PER_DAY = 1.0, 1 / 60.0
KEPT_SHARE = 0.93
"""Interval given to those at the maximum age, as a share of it: the rest is for waiting in the queue."""
PROMISE_SHARE = 0.95
"""A promise is kept if it takes at most this share of the budget."""
ROUNDS_WITHOUT_PROMISE = 2.0
"""Longest interval where the budget can't keep the promise, in rounds of all customers."""


@dataclass(frozen=True, slots=True)
class Cell:
    """`count` identities of a band that are alike: means of their changes, days watched and probability of coming still; their weight."""

    band: int
    count: float
    changes: float
    exposure_days: float
    weight: float
    still_comes: float = 1.0


@dataclass(frozen=True, slots=True)
class SignalEvidence:
    """Changes found after a signal and changes due in the same time; changes found by other look-ups and expected of them."""

    reported: float = 0.0
    due: float = 0.0
    missed: float = 0.0
    missed_expected: float = 0.0

    def later(self, new: SignalEvidence, days: float) -> SignalEvidence:
        """Return this as it counts `days` later, with what is new."""
        kept = 0.5 ** (max(0.0, days) / SIGNAL_HALF_LIFE_DAYS)
        pairs = zip(astuple(self), astuple(new), strict=True)
        return SignalEvidence(*(kept * old + added for old, added in pairs))

    @property
    def share(self) -> float:
        """The share of the changes that signals report: 0 before they have proven themselves."""
        if self.reported < LEAST_REPORTED:
            return 0.0
        reported = self.reported / (self.due + SIGNAL_DOUBT)
        missed = (self.missed + SIGNAL_DOUBT) / (self.missed_expected + SIGNAL_DOUBT)
        return min(MOST_SIGNALLED, reported / (reported + missed))


@dataclass(frozen=True, slots=True)
class Fit:
    """What is known of one organization; `observed` and `expected` are changes by band. Signals that are not `trusted` have stopped."""

    shape: float = FIRST_SHAPE
    mean_per_day: float = FIRST_MEAN_PER_DAY
    observed: tuple[float, ...] = (0.0,) * BANDS
    expected: tuple[float, ...] = (0.0,) * BANDS
    signals: SignalEvidence = SignalEvidence()
    trusts_signals: bool = True

    @property
    def signalled_share(self) -> float:
        """The share of the changes that no look-up has to find."""
        return self.signals.share if self.trusts_signals else 0.0

    @property
    def calibration(self) -> tuple[float, ...]:
        """Changes seen over changes expected, by band."""
        pairs = zip(self.observed, self.expected, strict=True)
        return tuple((seen + CALIBRATION_DOUBT) / (guessed + CALIBRATION_DOUBT) for seen, guessed in pairs)

    def rate(self, cell: Cell) -> float:
        """Return the expected changes per day of an identity of a cell."""
        own = (cell.changes + self.shape) / (cell.exposure_days + self.shape / self.mean_per_day)
        return self.calibration[cell.band - 1] * cell.still_comes * own


def learn(
    known: Fit,
    cells: Sequence[Cell],
    observed: Sequence[float],
    expected: Sequence[float],
    days: float,
    signals: SignalEvidence | None = None,
) -> Fit:
    """Return the fit of `days` later, from the roster as it is now and the evidence since."""
    kept = 0.5 ** (max(0.0, days) / EVIDENCE_HALF_LIFE_DAYS)
    shape, mean = known.shape, known.mean_per_day
    checked = [cell for cell in cells if cell.exposure_days > 0 or cell.changes > 0]
    number = sum(cell.count for cell in checked)
    if number >= LEAST_CUSTOMERS:
        shape, mean = _distribution(checked, shape, mean)
    return Fit(
        shape,
        mean,
        tuple(kept * old + new for old, new in zip(known.observed, observed, strict=True)),
        tuple(kept * old + new for old, new in zip(known.expected, expected, strict=True)),
        known.signals.later(signals or SignalEvidence(), days),
        known.trusts_signals,
    )


def _distribution(cells: Sequence[Cell], shape: float, mean: float) -> tuple[float, float]:
    """Return shape and mean of the gamma distribution that customers come from, going on from those of the last fit.

    Steps of expectation and maximization, then on along their way (Aitken).
    """
    logs = [math.log(shape)]
    for _ in range(3):
        shape, mean = _step(cells, shape, mean)
        logs.append(math.log(shape))
    step, last_step = logs[2] - logs[1], logs[3] - logs[2]
    ratio = last_step / step if abs(step) > 1e-12 else 0.0
    ratio = min(1 - 1 / MOST_STEPS_AHEAD, max(0.0, ratio))
    ahead = min(1.0, max(-1.0, last_step * ratio / (1 - ratio)))
    return _within(shape * math.exp(ahead)), mean


def _step(cells: Sequence[Cell], shape: float, mean: float) -> tuple[float, float]:
    number, mean_sum, log_sum = PRIOR_CUSTOMERS, PRIOR_CUSTOMERS * mean, PRIOR_CUSTOMERS * (math.log(mean) - 0.5)
    for cell in cells:
        own_shape = cell.changes + shape
        own_days = cell.exposure_days + shape / mean
        number += cell.count
        mean_sum += cell.count * own_shape / own_days
        log_sum += cell.count * (_digamma(own_shape) - math.log(own_days))
    mean = max(1e-6, mean_sum / number)
    gap = max(1e-4, math.log(mean) - log_sum / number)
    return _within((3 - gap + math.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap)), mean


def _within(shape: float) -> float:
    return min(SHAPE_RANGE[1], max(SHAPE_RANGE[0], shape))


@dataclass(frozen=True, slots=True)
class Share:
    """`count` identities with the same weight, rate (changes per day), share of signalled changes and bounds of their interval, in days."""

    count: float
    weight: float
    rate: float
    min_days: float
    max_days: float
    signalled: float = 0.0

    def interval(self, theta: float) -> float:
        """Return the days between two look-ups of each without a signal: `sync.refresh_days`."""
        missed = 1 - self.signalled
        square = 1 / (self.weight * self.rate) + (self.signalled * theta / self.weight) ** 2 / (4 * missed)
        return min(self.max_days, max(self.min_days, theta * math.sqrt(square / missed)))

    def lookups_per_day(self, days: float) -> float:
        """Return the look-ups per day of each that no signal leads to, at an interval."""
        signals = self.signalled * self.rate
        return 1 / days if signals * days < LEAST_SIGNALS else signals / math.expm1(min(700.0, signals * days))

    def age_days(self, days: float) -> float:
        """Return the mean time since the last look-up of each, signals included, at an interval."""
        signals = self.signalled * self.rate * days
        if signals < LEAST_SIGNALS:
            return days / 2
        return days / signals * (1 - signals / math.expm1(min(700.0, signals)))


def demand(shares: Sequence[Share], theta: float) -> float:
    """Return the look-ups per day that a threshold asks for."""
    return sum(share.count * share.lookups_per_day(share.interval(theta)) for share in shares)


def solve_theta(shares: Sequence[Share], lookups_per_day: float) -> float:
    """Return the threshold at which demand equals the budget, within the bounds (water filling)."""
    low, high = 1e-6, 1e5
    for _ in range(60):
        middle = math.sqrt(low * high)
        if demand(shares, middle) > lookups_per_day:
            low = middle
        else:
            high = middle
    return high


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a budget buys: days of mean delay of a change, mean age of a row, and the longest interval."""

    lookups_per_day: float
    theta: float
    mean_delay_days: float
    mean_age_days: float
    longest_days: float
    keeps_max_age: bool


@dataclass(slots=True)
class Budgeted:
    """An organization's part in the sharing of a budget: its cells and its bounds, in days."""

    fit: Fit
    cells: Sequence[Cell]
    min_days: float
    max_age_days: float
    longest_days: float = field(default=0.0)

    @property
    def identities(self) -> float:
        """How many there are."""
        return sum(cell.count for cell in self.cells)

    def shares(self) -> list[Share]:
        """Return its cells with their rates."""
        return [
            Share(
                cell.count,
                cell.weight,
                self.fit.rate(cell),
                self.min_days,
                self.longest_days,
                self.fit.signalled_share,
            )
            for cell in self.cells
        ]

    def promised_per_day(self) -> float:
        """Return the look-ups per day that the maximum age takes beyond those that signals lead to."""
        return sum(share.count * share.lookups_per_day(self.max_age_days) for share in self.shares())


def spend(parts: Sequence[Budgeted], lookups_per_day: float) -> Outlook:
    """Share a budget out among organizations: sets their `longest_days` and returns what it buys."""
    promised = sum(part.promised_per_day() for part in parts)
    keeps = promised <= PROMISE_SHARE * lookups_per_day
    number = sum(part.identities for part in parts)
    for part in parts:
        part.longest_days = (
            KEPT_SHARE * part.max_age_days
            if keeps
            else max(part.max_age_days, ROUNDS_WITHOUT_PROMISE * number / lookups_per_day)
        )
    shares = [share for part in parts for share in part.shares()]
    theta = solve_theta(shares, lookups_per_day)
    intervals = [(share, share.interval(theta)) for share in shares]
    changes = sum(share.count * share.rate for share in shares)
    waiting = sum(share.count * share.rate * (1 - share.signalled) * share.age_days(days) for share, days in intervals)
    ages = sum(share.count * share.age_days(days) for share, days in intervals)
    return Outlook(
        lookups_per_day,
        theta,
        waiting / changes if changes else 0.0,
        ages / number if number else 0.0,
        max((days for _, days in intervals), default=0.0),
        keeps,
    )


def least_budget(parts: Sequence[Budgeted]) -> float:
    """Return the fewest look-ups per day that keep every promised maximum age."""
    return sum(part.promised_per_day() for part in parts) / PROMISE_SHARE


def _digamma(value: float) -> float:
    shifted = value + 3
    series = math.log(shifted) - 1 / (2 * shifted) - 1 / (12 * shifted * shifted)
    return series - 1 / value - 1 / (value + 1) - 1 / (value + 2)
