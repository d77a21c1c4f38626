"""What the figures were measured on."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from devstack.postgres import installed_binaries


def facts() -> list[str]:
    """Return lines for the top of the report."""
    postgres = subprocess.run(
        [str(installed_binaries() / "postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_processor()}, {len(os.sched_getaffinity(0))} cores, load before: {load}",
        f"{postgres}, Python {platform.python_version()}, {platform.system()} {platform.release()}",
    ]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
