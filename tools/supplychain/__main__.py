"""`python -m supplychain audit [--limit-seconds N]`, `… sbom OUTPUT` and `… release OUTPUT [--rehearse]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from supplychain.audit import audit
from supplychain.release import NotReleasable, release, released_version
from supplychain.sbom import write_sbom

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Run one of the commands; the exit code is 1 if the lock has a known vulnerability, or the checkout can't be released."""
    parser = argparse.ArgumentParser(prog="python -m supplychain", description="What the project is built from.")
    commands = parser.add_subparsers(dest="command", required=True)
    asked = commands.add_parser("audit", help="ask a vulnerability database about the lock")
    asked.add_argument("--limit-seconds", type=float, default=30)
    asked.add_argument("--osv-url", help="another server that answers as api.osv.dev/v1/query does")
    written = commands.add_parser("sbom", help="write a CycloneDX bill of materials")
    written.add_argument("output", type=Path)
    released = commands.add_parser("release", help="build everything that a release publishes, twice, and compare")
    released.add_argument("output", type=Path)
    released.add_argument(
        "--rehearse", action="store_true", help="with the changelog's section Unreleased, even with uncommitted changes"
    )
    chosen = parser.parse_args()
    if chosen.command == "release":
        return _release(chosen.output, is_rehearsal=chosen.rehearse)
    if chosen.command == "sbom":
        counts = write_sbom(ROOT, chosen.output)
        print(f"{chosen.output}: " + ", ".join(f"{count} {scope}" for scope, count in counts.items()))
        return 0
    services = ("osv",) if chosen.osv_url else ("osv", "pypi")
    verdict = audit(ROOT, limit_seconds=chosen.limit_seconds, osv_url=chosen.osv_url, services=services)
    print(verdict.text, file=sys.stderr if verdict.fails else sys.stdout)
    return int(verdict.fails)


def _release(output: Path, *, is_rehearsal: bool) -> int:
    try:
        sums = release(ROOT, output, is_rehearsal=is_rehearsal)
    except NotReleasable as problem:
        print(f"not released: {problem}", file=sys.stderr)
        return 1
    for name, digest in sums.items():
        print(f"{digest[:16]}  {name}")
    print(f"{output}: {len(sums)} files, the same bytes in two builds")
    if not is_rehearsal:
        version = released_version(ROOT)
        print(f"next: git tag --annotate v{version} --file {output / 'RELEASE_NOTES.md'}, then publish these files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
