"""`make bench`: runs the benchmarks and prints their ratios; exits non-zero where one falls short of what is promised."""

import argparse
import importlib
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import document
from benchmarks.machine import facts
from benchmarks.measure import Promise

NAMES = (
    "freshness",
    "lookups",
    "merge",
    "whole_job",
    "memory",
    "claim",
    "budget",
    "signals",
    "costs",
    "outlook",
    "crm_plan",
    "crm_apply",
    "crm_push",
    "reconcile",
    "questions",
)
BY_NAME_ONLY = ("page", "erasure")
"""Take too long to be among all."""
LIMIT_MINUTES = 29.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of: {', '.join(NAMES)} (default: all); by name only: {', '.join(BY_NAME_ONLY)}",
    )
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, one round: shows that all runs, measures little"
    )
    parser.add_argument(
        "--limit-minutes",
        type=float,
        default=LIMIT_MINUTES,
        metavar="M",
        help="stop then; what was not measured is named, and the exit status is not 0 (default: %(default)s)",
    )
    _add_replay(parser)
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.names if name not in (*NAMES, *BY_NAME_ONLY)]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    if (chosen.log, chosen.round_days, chosen.trace, chosen.signals) != (None, None, None, None):
        if chosen.names != ["freshness"] or chosen.log is None or chosen.round_days is None:
            parser.error("a replay is: freshness --log FILE --round-days N [--signals P] [--trace OUT]")
        freshness = importlib.import_module("benchmarks.freshness")
        status: int = freshness.main(chosen.log, chosen.round_days, chosen.trace, chosen.signals)
        return status
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped on the way out
    about = facts()
    for line in about:
        print(line)
    signal.signal(signal.SIGALRM, _time_is_up)
    signal.setitimer(signal.ITIMER_REAL, 60 * chosen.limit_minutes)
    promises: list[Promise] = []
    left = list(chosen.names or NAMES)
    try:
        while left:
            promises += _measure(left[0], quick=chosen.quick, about=about)
            left.pop(0)
    except TimeIsUpError:
        print(f"\nNot measured within {chosen.limit_minutes:g} minutes (--limit-minutes): {', '.join(left)}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    status = report(promises, quick=chosen.quick)
    return 1 if left else status


def _add_replay(parser: argparse.ArgumentParser) -> None:
    replay = parser.add_argument_group(
        "replay of a log of visits", "python -m benchmarks freshness --log FILE --round-days N"
    )
    replay.add_argument("--log", type=Path, metavar="FILE", help="lines of customer,minute")
    replay.add_argument("--round-days", type=float, metavar="N", help="budget: one look-up per customer in N days")
    replay.add_argument(
        "--signals",
        type=float,
        metavar="P",
        help="P percent of the visits are signalled; 2 %% of the signals are false",
    )
    replay.add_argument("--trace", type=Path, metavar="OUT", help="write each look-up there: customer,minute")


class TimeIsUpError(Exception):
    """The benchmarks have taken as long as they may."""


def _time_is_up(*_: object) -> None:
    raise TimeIsUpError


def _measure(name: str, *, quick: bool, about: Sequence[str]) -> list[Promise]:
    started = time.monotonic()
    print(f"\n{name}", flush=True)
    promises: list[Promise] = importlib.import_module(f"benchmarks.{name}").run(quick=quick)
    seconds = time.monotonic() - started
    print(f"  ({name} took {seconds:,.0f} s)", flush=True)
    if not quick:
        document.write(name, about, promises, seconds)
    return promises


def report(promises: Sequence[Promise], *, quick: bool) -> int:
    """Print the final table and return the exit status; with `quick` sizes nothing was promised, so it is always 0."""
    print("\nMeasured and promised" + (" (quick: sizes too small to judge by)" if quick else ""))
    for promise in promises:
        print(promise.line(judged=not quick))
    return 0 if quick or all(promise.is_kept for promise in promises) else 1


if __name__ == "__main__":
    sys.exit(main())
