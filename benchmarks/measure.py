"""Runs clients one after the other, each in a process of its own, and compares them."""

import json
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Client:
    """A way to do the work: a command that prints `{"done": n, "seconds": s}` as its last line."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Result:
    """How many times faster ours is than a peer, medians of all rounds."""

    name: str
    ratio: float
    promised: float


def rates(clients: Sequence[Client], rounds: int) -> dict[str, float]:
    """Return the median of items a second by client; rounds are interleaved, so that a noisy moment hits all alike."""
    found: dict[str, list[float]] = {client.name: [] for client in clients}
    for number in range(rounds):
        for client in clients:
            done = subprocess.run(
                list(client.command), env=dict(client.environment), capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                raise RuntimeError(f"{client.name} failed:\n{done.stderr[-2000:]}")
            told = json.loads(done.stdout.strip().splitlines()[-1])
            found[client.name].append(told["done"] / told["seconds"])
            print(f"  round {number + 1}  {client.name:<45} {found[client.name][-1]:10,.0f} a second", flush=True)
    return {name: statistics.median(values) for name, values in found.items()}
