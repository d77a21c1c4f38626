"""`make bench`: runs the benchmarks and prints their ratios; exits non-zero where one falls short of what is promised."""

import argparse
import importlib
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

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
    "costs",
    "crm_plan",
    "crm_apply",
    "reconcile",
    "questions",
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(NAMES)} (default: all)")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, one round: shows that all runs, measures little"
    )
    replay = parser.add_argument_group(
        "replay of a log of visits", "python -m benchmarks freshness --log FILE --round-days N"
    )
    replay.add_argument("--log", type=Path, metavar="FILE", help="lines of customer,minute")
    replay.add_argument("--round-days", type=float, metavar="N", help="budget: one look-up per customer in N days")
    replay.add_argument("--trace", type=Path, metavar="OUT", help="write each look-up there: customer,minute")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    if (chosen.log, chosen.round_days, chosen.trace) != (None, None, None):
        if chosen.names != ["freshness"] or chosen.log is None or chosen.round_days is None:
            parser.error("a replay is: freshness --log FILE --round-days N [--trace OUT]")
        return importlib.import_module("benchmarks.freshness").main(chosen.log, chosen.round_days, chosen.trace)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped on the way out
    for line in facts():
        print(line)
    promises: list[Promise] = []
    for name in chosen.names or NAMES:
        started = time.monotonic()
        print(f"\n{name}", flush=True)
        promises += importlib.import_module(f"benchmarks.{name}").run(quick=chosen.quick)
        print(f"  ({name} took {time.monotonic() - started:,.0f} s)", flush=True)
    return report(promises, quick=chosen.quick)


def report(promises: Sequence[Promise], *, quick: bool) -> int:
    """Print the final table and return the exit status; with `quick` sizes nothing was promised, so it is always 0."""
    print("\nMeasured and promised" + (" (quick: sizes too small to judge by)" if quick else ""))
    for promise in promises:
        print(promise.line(judged=not quick))
    return 0 if quick or all(promise.is_kept for promise in promises) else 1


if __name__ == "__main__":
    sys.exit(main())
