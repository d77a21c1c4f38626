"""Prints what the image installs: the requirements of some pyproject.toml files, and of the extras that are asked for, one per line."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Collection
from pathlib import Path

OWN = ("airflow-provider-syrve", "syrve-simulator")
EVERYTHING = "all"


def requirements(pyproject: Path, extras: Collection[str] = (EVERYTHING,)) -> list[str]:
    """Return the requirements of a distribution and of these extras (`all`: of each), without those on our own distributions."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    optional: dict[str, list[str]] = project.get("optional-dependencies", {})
    chosen = [needs for extra, needs in optional.items() if EVERYTHING in extras or extra in extras]
    return [each for group in [project["dependencies"], *chosen] for each in group if not each.startswith(OWN)]


def read_extras(text: str, pyproject: Path) -> set[str]:
    """Read names of extras, comma separated; raises SystemExit, which names those that the distribution has not."""
    known = set(tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["optional-dependencies"])
    extras = {name.strip() for name in text.split(",")} - {""}
    if unknown := extras - known:
        raise SystemExit(f"EXTRAS: unknown {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return extras


def main(arguments: list[str]) -> None:
    """Print the requirements of the first file with these extras, and of the other files."""
    extras, product, *others = arguments
    print(*requirements(Path(product), read_extras(extras, Path(product))), sep="\n")
    for name in others:
        print(*requirements(Path(name)), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
