"""Runs contestants in turn, each in a process of its own, keeps what they measured, and compares medians with what is promised."""

import json
import os
import statistics
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = Path(__file__).parent / "clients"
OWN_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
PEER_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


class ClientFailedError(RuntimeError):
    """A contestant ended with an error; carries the end of what it wrote."""


class TooSlowError(RuntimeError):
    """A contestant took longer than its bound and was stopped."""


@dataclass(frozen=True)
class Promise:
    """One line of the final table: what was measured, what it must be at least (or at most), and the seconds behind it."""

    name: str
    measured: float
    promised: float
    at_least: bool = True
    unit: str = "x"
    detail: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether the measured figure is on the right side of the promised one; a figure that is no number is not."""
        return self.measured >= self.promised if self.at_least else self.measured <= self.promised

    def line(self, *, judged: bool = True) -> str:
        """Write the line, with a word where a judged promise is not kept."""
        bound = "at least" if self.at_least else "at most"
        verdict = "" if self.is_kept or not judged else "   FALLS SHORT"
        return f"{self.name:<78} {self.measured:9,.2f}{self.unit:<3} promised: {bound} {self.promised:,.2f}{self.unit}{verdict}"


@dataclass
class Figures:
    """What was measured, by contestant and by metric, one value a round."""

    values: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, contestant: str, **metrics: float) -> None:
        """Keep one round's metrics."""
        for metric, value in metrics.items():
            self.values[contestant, metric].append(value)

    def median(self, contestant: str, metric: str) -> float:
        """Return the median over the rounds."""
        return statistics.median(self.values[contestant, metric])

    def largest(self, contestant: str, metric: str) -> float:
        """Return the worst round, for what must hold in each."""
        return max(self.values[contestant, metric])

    def ratio(self, slower: str, faster: str, metric: str = "seconds") -> float:
        """Return how many times the one's median is the other's."""
        return self.median(slower, metric) / self.median(faster, metric)

    def seconds(self, *contestants: str) -> str:
        """Write the median time of each, and its processor time where that was measured: client + Postgres."""
        told = []
        for name in contestants:
            cpu = [
                f"{self.median(name, each):.1f}" for each in ("client_cpu", "server_cpu") if (name, each) in self.values
            ]
            more = "over " if (name, "bound") in self.values else ""
            spent = f" (CPU {' + '.join(cpu)})" if cpu else ""
            told.append(f"{name} {more}{self.median(name, 'seconds'):.1f}{spent}")
        return "; ".join(told)

    def best(self, contestants: Sequence[str], metric: str = "seconds") -> str:
        """Return the contestant with the smallest median."""
        return min(contestants, key=lambda name: self.median(name, metric))


def run_client(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str] = OWN_ENVIRONMENT,
    bound_seconds: float | None = None,
) -> dict[str, Any]:
    """Run one contestant and return the JSON object that it printed as its last line; raise `ClientFailedError`, `TooSlowError`.

    What a stopped one had Postgres do goes on until its database is dropped.
    """
    try:
        done = subprocess.run(
            list(command), env=dict(environment), capture_output=True, text=True, check=False, timeout=bound_seconds
        )
    except subprocess.TimeoutExpired:
        raise TooSlowError(f"{name} took longer than {bound_seconds:,.0f} s and was stopped") from None
    if done.returncode != 0:
        raise ClientFailedError(f"{name} failed:\n{done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def in_turn(names: Sequence[str], round_number: int) -> list[str]:
    """Return the contestants of a round, each round beginning with another: nobody always follows the same one."""
    start = round_number % len(names)
    return [*names[start:], *names[:start]]


def say(round_number: int | str, name: str, text: str) -> None:
    """Print one measured line."""
    print(f"  round {round_number:<3} {name:<52} {text}", flush=True)
