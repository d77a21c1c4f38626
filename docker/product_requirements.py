"""Prints what the distributions of some pyproject.toml files require, their extras included, one requirement per line."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

OWN = ("airflow-provider-syrve", "syrve-simulator")


def requirements(pyproject: Path) -> list[str]:
    """Return the requirements of a distribution and of all its extras, without those on our own distributions."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
    return [each for group in groups for each in group if not each.startswith(OWN)]


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(*requirements(Path(name)), sep="\n")
