"""Writes what benchmarks measured into docs/benchmarks.md: a section per benchmark, of which only those that ran are replaced."""

import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import ROOT, Promise

DOCUMENT = ROOT / "docs" / "benchmarks.md"
HEAD = """# What the benchmarks measured

`make bench` writes this page: each benchmark replaces its own section. All contestants of a benchmark run on one machine in one run, so
ratios count and times do not. "CPU" is processor seconds of the client and of Postgres. A peer that takes longer than its bound is
stopped, and the bound stands for its time ("over").
"""


def write(name: str, facts: Sequence[str], promises: Sequence[Promise], seconds: float, path: Path = DOCUMENT) -> None:
    """Replace the section of a benchmark, or add it at the end."""
    text = path.read_text(encoding="utf-8") if path.exists() else HEAD
    section = _section(name, facts, promises, seconds)
    pattern = re.compile(rf"<!-- {name} -->\n.*?<!-- end of {name} -->\n", re.DOTALL)
    text = pattern.sub(lambda _: section, text) if pattern.search(text) else f"{text}\n{section}"
    path.write_text(text, encoding="utf-8")


def _section(name: str, facts: Sequence[str], promises: Sequence[Promise], seconds: float) -> str:
    lines = [f"<!-- {name} -->", f"## {name}", "", f"{'; '.join(facts)}. Took {seconds:,.0f} s.", ""]
    if promises:
        lines += ["| measured | | promised | kept | seconds behind it |", "| --- | --- | --- | --- | --- |"]
        lines += [_row(each) for each in promises]
    else:
        lines.append("Constants only; see [scaling](scaling.md).")
    return "\n".join([*lines, "", f"<!-- end of {name} -->", ""])


def _row(promise: Promise) -> str:
    bound = "at least" if promise.at_least else "at most"
    kept = "yes" if promise.is_kept else "**no**"
    name = promise.name.replace("|", "\\|")
    return f"| {name} | {promise.measured:,.2f}{promise.unit} | {bound} {promise.promised:,.2f}{promise.unit} | {kept} | {promise.detail} |"
