"""What every client measures about itself, with the standard library alone: peers import it from their own environments."""

import gc
import json
import os
import resource
import time
from pathlib import Path
from typing import Any


def _memory_mb(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise LookupError(name)


def _cpu_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


class Probe:
    """Times a block and measures the memory it adds to what the process already holds (MB; largest child process apart).

    What was made before the block is frozen for the garbage collector: the data of a whole run wait in memory here, which no real task
    does, and walking over them would only slow whoever makes many objects.
    """

    def __enter__(self) -> "Probe":
        gc.collect()
        gc.freeze()
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        self._held_mb = _memory_mb("VmRSS")
        self._cpu_started = _cpu_seconds()
        self._started = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._started
        self.cpu_seconds = _cpu_seconds() - self._cpu_started
        self.peak_mb = _memory_mb("VmHWM")
        self.added_mb = self.peak_mb - self._held_mb
        self.child_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024

    def report(self, **more: Any) -> None:
        """Print the last line that the harness reads."""
        names = ("seconds", "cpu_seconds", "peak_mb", "added_mb", "child_mb")
        print(json.dumps({name: getattr(self, name) for name in names} | more), flush=True)
