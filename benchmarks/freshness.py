"""How well look-ups are spent: logs of visits, played through the project's own statements, against round robin and the known-rate law."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.measure import Promise, say
from benchmarks.replay import replay
from benchmarks.visits import (
    DAY_MINUTES,
    Log,
    LogError,
    busiest_day,
    delays,
    known_rates,
    longest_age,
    make_log,
    make_signals,
    read_log,
    round_robin,
)
from syrve.customers.freshness import PROMISE_SHARE
from syrve.customers.pull_settings import PullSettings

CASES = (
    ("few regulars, many rare", 0.4, 15.0, 7, 0.80, 1.12),
    ("few regulars, many rare", 0.4, 15.0, 14, 0.80, 1.12),
    ("few regulars, many rare", 0.4, 15.0, 30, 0.80, 1.12),
    ("alike", 2.0, 30.0, 14, 1.0, 1.12),
    ("mostly one visit or two", 1.5, 1.5, 14, 1.0, 1.30),
)
"""Name, gamma shape of the rates, visits a year, days of a round; mean delay at most, to round robin and to known rates."""
MAX_AGE_DAYS = PullSettings().max_age_seconds / 86400
WITHOUT = "without signals"
CUSTOMERS, QUICK_CUSTOMERS = 1_000, 60
LEAST_ROUND_DAYS, MOST_ROUND_DAYS = 0.05, 366.0


@dataclass(frozen=True)
class Outcome:
    """Days that visits waited, by way of spending look-ups, and how the project used its budget."""

    waits: dict[str, np.ndarray]
    lookups: int
    used: float
    busiest_day: float
    longest_age_days: float

    def ratio(self, other: str) -> float:
        """Return the project's mean delay over another's."""
        return float(self.waits["project"].mean() / self.waits[other].mean())


def compare(log: Log, round_days: float, trace: Path | None = None, signals_percent: float | None = None) -> Outcome:
    """Play a log all three ways, and with signals of a percentage of the visits if asked; write the project's look-ups to `trace`."""
    looks = replay(log, round_days)
    without = looks
    if signals_percent is not None:
        looks = replay(log, round_days, make_signals(log, signals_percent))
    if trace is not None:
        with trace.open("w", encoding="utf-8") as file:
            file.writelines(f"{log.names[customer]},{minute}\n" for customer, minute in looks)
    ways = {"project": looks} | ({WITHOUT: without} if signals_percent is not None else {})
    ways |= {"round robin": round_robin(log, round_days), "known rates": known_rates(log, round_days)}
    budget = len(log.names) / round_days * log.end / DAY_MINUTES
    return Outcome(
        {name: delays(log, each) for name, each in ways.items()},
        len(looks),
        len(looks) / budget,
        busiest_day(log, looks, round_days),
        longest_age(log, looks),
    )


def table(log: Log, round_days: float, outcome: Outcome) -> str:
    """Write what a replay gave for people to read."""
    visits = sum(map(len, log.visits))
    size = f"{len(log.names):,} customers, {visits:,} visits in {log.end / DAY_MINUTES:,.0f} days"
    used = f"look-ups {outcome.lookups:,}, {100 * outcome.used:.1f} % of the budget; busiest day {100 * outcome.busiest_day:.1f} %"
    lines = [
        f"{size}; one look-up per customer in {round_days:g} days",
        "",
        f"{'days from a visit to its row':<30} {'mean':>8} {'median':>8} {'90 %':>8} {'project is':>12}",
    ]
    for name, waits in outcome.waits.items():
        ratio = "" if name == "project" else f"{outcome.ratio(name):.3f} of it"
        figures = f"{waits.mean():8.3f} {np.median(waits):8.3f} {np.percentile(waits, 90):8.3f}"
        lines.append(f"{name:<30} {figures} {ratio:>12}")
    lines += [
        "",
        f"{used}; nobody went without for longer than {outcome.longest_age_days:.1f} days",
        "(visits of the last two thirds of the log; the project knew nothing at its beginning)",
    ]
    return "\n".join(lines)


def main(log_path: Path, round_days: float, trace: Path | None, signals_percent: float | None = None) -> int:
    """Replay a log that somebody handed in; returns the exit status."""
    try:
        if not LEAST_ROUND_DAYS <= round_days <= MOST_ROUND_DAYS:
            raise LogError(f"--round-days must be {LEAST_ROUND_DAYS} to {MOST_ROUND_DAYS:g}")
        if signals_percent is not None and not 0 <= signals_percent <= 100:
            raise LogError("--signals must be a percentage, 0 to 100")
        log = read_log(log_path)
        if not any((each >= log.end / 3).any() for each in log.visits):
            raise LogError(f"{log_path} has no visit in its last two thirds to judge by")
        if trace is not None:
            _refuse_unwritable(trace)
        outcome = compare(log, round_days, trace, signals_percent)
    except LogError as problem:
        print(f"freshness: {problem}", flush=True)
        return 2
    print(table(log, round_days, outcome))
    return 0


def _refuse_unwritable(trace: Path) -> None:
    try:
        trace.touch()
    except OSError as problem:
        raise LogError(f"{trace} can't be written: {problem.strerror}") from problem


def run(*, quick: bool) -> list[Promise]:
    """Replay made logs and return how the project does against round robin and the known-rate law."""
    customers = QUICK_CUSTOMERS if quick else CUSTOMERS
    promises = []
    for name, shape, visits, round_days, to_robin, to_known in CASES:
        log = make_log(
            customers=customers, days=60 if quick else 365, shape=shape, visits=visits, drop_out=0.3, seed=11
        )
        outcome = compare(log, round_days)
        about = f"{name}, {round_days} days"
        say(1, about, f"mean delay {outcome.waits['project'].mean():.2f} d, budget used {100 * outcome.used:.1f} %")
        days = ", ".join(f"{way} {waits.mean():.2f} days" for way, waits in outcome.waits.items())
        promises += [
            Promise(f"mean delay to round robin, {about}", outcome.ratio("round robin"), to_robin, False, detail=days),
            Promise(f"mean delay to known rates, {about}", outcome.ratio("known rates"), to_known, False),
            Promise(f"share of the budget used, {about}", outcome.used, 0.97),
            Promise(f"busiest day to the budget, {about}", outcome.busiest_day, 1.05, at_least=False),
        ]
        if round_days < MAX_AGE_DAYS * PROMISE_SHARE:
            age = outcome.longest_age_days
            promises.append(Promise(f"oldest customer, {about}", age, MAX_AGE_DAYS, at_least=False, unit=" d"))
    return promises
