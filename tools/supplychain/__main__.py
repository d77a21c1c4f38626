"""`python -m supplychain audit [--limit-seconds N]` and `python -m supplychain sbom OUTPUT`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from supplychain.audit import audit
from supplychain.sbom import write_sbom

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Run one of the commands; the exit code is 1 where the lock has a known vulnerability."""
    parser = argparse.ArgumentParser(prog="python -m supplychain", description="What the project is built from.")
    commands = parser.add_subparsers(dest="command", required=True)
    asked = commands.add_parser("audit", help="ask a vulnerability database about the lock")
    asked.add_argument("--limit-seconds", type=float, default=30)
    asked.add_argument("--osv-url", help="another server that answers as api.osv.dev/v1/query does")
    written = commands.add_parser("sbom", help="write a CycloneDX bill of materials")
    written.add_argument("output", type=Path)
    chosen = parser.parse_args()
    if chosen.command == "sbom":
        counts = write_sbom(ROOT, chosen.output)
        print(f"{chosen.output}: " + ", ".join(f"{count} {scope}" for scope, count in counts.items()))
        return 0
    services = ("osv",) if chosen.osv_url else ("osv", "pypi")
    verdict = audit(ROOT, limit_seconds=chosen.limit_seconds, osv_url=chosen.osv_url, services=services)
    print(verdict.text, file=sys.stderr if verdict.fails else sys.stdout)
    return int(verdict.fails)


if __name__ == "__main__":
    sys.exit(main())
