"""`make bench`: runs the benchmarks and prints their ratios; exits non-zero where one falls short of what is promised."""

import argparse
import importlib
import signal
import sys
import time
from collections.abc import Sequence

from benchmarks.machine import facts
from benchmarks.measure import Promise

NAMES = ("lookups", "merge", "whole_job", "memory", "claim", "budget", "reconcile", "costs")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(NAMES)} (default: all)")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, one round: shows that all runs, measures little"
    )
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
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
