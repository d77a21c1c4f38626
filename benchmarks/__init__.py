"""Reproduces every speed that the README claims, the peers' included: `make bench`."""

import sys
from pathlib import Path

# `python -m benchmarks` works from a checkout as it is, without the Makefile's PYTHONPATH.
_TOOLS = str(Path(__file__).resolve().parents[1] / "tools")
if _TOOLS not in sys.path:
    sys.path.insert(0, _TOOLS)
