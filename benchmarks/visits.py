"""Logs of visits, and how long visits wait for the next look-up of their customer under some ways of spending look-ups."""

import csv
import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DAY_MINUTES = 1440
SLOT_MINUTES = 60
LONGEST_DAYS = 3_660
HOURS = (0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 3, 5, 9, 8, 5, 4, 4, 6, 9, 9, 7, 5, 3, 1)
Minutes = NDArray[np.float64]


Signals = Sequence[tuple[int, int]]
"""Customers and minutes, in the order of time."""


class LogError(ValueError):
    """A log of visits can't be used; the text says where and why."""


@dataclass(frozen=True)
class Log:
    """The visits of each customer in minutes, in order; the log ends a day after the last of all."""

    names: list[str]
    visits: list[Minutes]

    @property
    def end(self) -> int:
        """The minute at which the log ends."""
        return int(max(each[-1] for each in self.visits)) + DAY_MINUTES


@dataclass(frozen=True)
class Slot:
    """A stretch of the log with the minutes at which its look-ups are made."""

    start: int
    minutes: list[int]


def read_log(path: Path) -> Log:
    """Read `customer,minute` lines, with or without a heading; raise `LogError`."""
    visits: defaultdict[str, list[float]] = defaultdict(list)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.reader(file), 1):
                if not row or (number == 1 and [each.strip() for each in row] == ["customer", "minute"]):
                    continue
                customer, minute = _visit(row, f"{path}, line {number}")
                visits[customer].append(minute)
    except OSError as problem:
        raise LogError(f"{path} can't be read: {problem.strerror}") from problem
    except (UnicodeDecodeError, csv.Error) as problem:
        raise LogError(f"{path} is no CSV file in UTF-8: {problem}") from problem
    if not visits:
        raise LogError(f"{path} holds no visit; it needs lines of customer,minute")
    log = Log(list(visits), [np.sort(np.array(each)) for each in visits.values()])
    days = log.end / DAY_MINUTES
    if not 3 <= days <= LONGEST_DAYS:
        raise LogError(
            f"{path} covers {days:,.0f} days; it must be 3 to {LONGEST_DAYS:,}, in minutes from the log's beginning"
        )
    return log


def _visit(row: list[str], where: str) -> tuple[str, float]:
    if len(row) != 2 or not row[0].strip():
        raise LogError(f"{where}: expected customer,minute")
    try:
        minute = float(row[1])
    except ValueError:
        raise LogError(f"{where}: the minute is no number") from None
    if not 0 <= minute < math.inf:
        raise LogError(f"{where}: the minute must be 0 or more")
    return row[0].strip(), minute


def slots(log: Log, round_days: float, slot_minutes: int = SLOT_MINUTES) -> Iterator[Slot]:
    """Spread one look-up per customer in `round_days` evenly over the log, and cut that into slots."""
    credit = 0.0
    for start in range(0, log.end, slot_minutes):
        length = min(slot_minutes, log.end - start)
        credit += len(log.names) / round_days * length / DAY_MINUTES
        count = int(credit + 1e-9)
        credit -= count
        yield Slot(start, [start + int((number + 1) * length / count) for number in range(count)])


def indexed(log: Log, round_days: float, rates: Minutes) -> list[tuple[int, int]]:
    """Look up whoever has waited for the most visits so far, given each customer's rate: rate x age squared; returns customer and minute.

    Equal rates are a round robin.
    """
    last = np.zeros(len(log.names))
    looks: list[tuple[int, int]] = []
    for slot in slots(log, round_days):
        todo = slot.minutes
        while todo:
            urgency = rates * (todo[0] - last) ** 2
            count = min(len(todo), len(last))
            urgent = np.argpartition(-urgency, count - 1)[:count]
            urgent = urgent[np.argsort(-urgency[urgent], kind="stable")]
            looks += zip(urgent.tolist(), todo[:count], strict=True)
            last[urgent] = todo[:count]
            todo = todo[count:]
    return looks


def make_signals(log: Log, percent: float, *, false_percent: float = 2.0, seed: int = 5) -> Signals:
    """Draw the signals of a percentage of the visits, and some more, a percentage of them, that nothing had led to."""
    rng = random.Random(seed)
    told = [
        (customer, int(minute))
        for customer, visits in enumerate(log.visits)
        for minute in visits
        if rng.random() * 100 < percent
    ]
    false = round(len(told) * false_percent / 100)
    told += [(rng.randrange(len(log.names)), rng.randrange(log.end - DAY_MINUTES)) for _ in range(false)]
    return sorted(told, key=lambda each: each[1])


def round_robin(log: Log, round_days: float) -> list[tuple[int, int]]:
    """Look everybody up in turn."""
    return indexed(log, round_days, np.ones(len(log.names)))


def known_rates(log: Log, round_days: float) -> list[tuple[int, int]]:
    """Spend look-ups by the square-root law, by someone who knows how often each customer comes."""
    return indexed(log, round_days, np.array([len(each) for each in log.visits]) / log.end)


def delays(log: Log, looks: list[tuple[int, int]]) -> Minutes:
    """Return the days from each visit of the last two thirds of the log to the next look-up of its customer, or to the log's end."""
    by_customer: defaultdict[int, list[int]] = defaultdict(list)
    for customer, minute in looks:
        by_customer[customer].append(minute)
    found = []
    for customer, visits in enumerate(log.visits):
        times = np.sort(np.array([*by_customer[customer], log.end], dtype=float))
        late = visits[visits >= log.end / 3]
        found.append(times[np.searchsorted(times, late, side="right").clip(max=len(times) - 1)] - late)
    return np.concatenate(found) / DAY_MINUTES


def longest_age(log: Log, looks: list[tuple[int, int]]) -> float:
    """Return the most days that a customer went without a look-up, once each has had one."""
    last: dict[int, int] = {}
    longest = 0
    for customer, minute in sorted(looks, key=lambda each: each[1]):
        longest = max(longest, minute - last.get(customer, minute))
        last[customer] = minute
    return max([longest, *(log.end - minute for minute in last.values())]) / DAY_MINUTES


def busiest_day(log: Log, looks: list[tuple[int, int]], round_days: float) -> float:
    """Return the look-ups of the busiest day as a share of the budget."""
    days = np.bincount(np.array([minute for _, minute in looks]) // DAY_MINUTES)
    return float(days.max()) / (len(log.names) / round_days)


def make_log(*, customers: int, days: int, shape: float, visits: float, drop_out: float, seed: int) -> Log:
    """Make a log: gamma distributed rates, `visits` a year on average, by the hours of a restaurant; `drop_out` stop within a year."""
    rng = random.Random(seed)
    made: dict[str, list[float]] = {}
    for customer in range(customers):
        rate = rng.gammavariate(shape, visits / shape) / 365
        at = rng.uniform(0, days * 0.2)
        stop = at + (rng.expovariate(-math.log(1 - drop_out) / 365) if drop_out else math.inf)
        while rate > 1e-9:
            at += rng.expovariate(rate)
            if at >= min(days, stop):
                break
            minute = int(at) * DAY_MINUTES + rng.choices(range(24), HOURS)[0] * 60 + rng.randrange(60)
            made.setdefault(str(customer), []).append(minute)
    return Log(list(made), [np.sort(np.array(each, dtype=float)) for each in made.values()])
