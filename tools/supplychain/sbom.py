"""A CycloneDX bill of materials of what is installed from the lock, by cyclonedx-py: what is shipped, and what only builds and tests it.

`scope` of a component: `required` by the package, `optional` for what its extras and the production-like stack add, `excluded` for
tests and checks.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

SIMULATOR = "syrve-simulator"
"""The other distribution of the checkout, which the package does not need: like the package itself, it is no component."""


def write_sbom(root: Path, output: Path) -> dict[str, int]:
    """Write the bill of a checkout's environment; returns how many components have each scope."""
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "cyclonedx_py",
        "environment",
        sys.prefix,
        "--pyproject",
        str(root / "pyproject.toml"),
    ]
    command += ["--output-reproducible", "--output-format", "JSON", "--output-file", str(output)]
    subprocess.run(command, check=True)
    bill = json.loads(output.read_text(encoding="utf-8"))
    counts = set_scopes(bill, read_requirements((root / "docker" / "requirements.in").read_text(encoding="utf-8")))
    shipped = shipped_libraries(root)
    bill["components"] += shipped
    counts["required"] += len(shipped)
    output.write_text(json.dumps(bill, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return counts


def set_scopes(bill: dict[str, Any], stack: Iterable[str]) -> dict[str, int]:
    """Give every component its scope; `stack` are the requirements that the production-like stack adds."""
    own = normalized(bill["metadata"]["component"]["name"])
    bill["components"] = [part for part in bill["components"] if normalized(part["name"]) not in (own, SIMULATOR)]
    required = installed_needs([own])
    optional = installed_needs([f"{own}[all]", *stack]) - required
    counts = dict.fromkeys(("required", "optional", "excluded"), 0)
    for part in bill["components"]:
        name = normalized(part["name"])
        part["scope"] = "required" if name in required else "optional" if name in optional else "excluded"
        counts[part["scope"]] += 1
    return counts


def shipped_libraries(root: Path) -> list[dict[str, Any]]:
    """Return the components whose files the package itself holds, which no environment shows."""
    listed = json.loads((root / "plugins" / "syrve" / "ui" / "vendored.json").read_text(encoding="utf-8"))
    return [
        {
            "type": "library",
            "bom-ref": f"{each['name']}@{each['version']}",
            "name": each["name"],
            "version": each["version"],
            "licenses": [{"license": {"id": each["licence"]}}],
            "purl": f"pkg:npm/{each['name'].replace('@', '%40')}@{each['version']}",
            "scope": "required",
        }
        for each in listed
    ]


def read_requirements(requirements: str) -> list[str]:
    """Read the requirements of a file, without its comments."""
    lines = (line.partition("#")[0].strip() for line in requirements.splitlines())
    return [line for line in lines if line]


def normalized(name: str) -> str:
    """Return a project's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_needs(requirements: Iterable[str]) -> set[str]:
    """Return the normalized names of what is installed for these requirements, themselves included.

    cyclonedx-py's own graph takes what an extra would need for a need, and so could not tell the stack from the package.
    """
    seen: set[tuple[str, str]] = set()
    left = [(normalized(one.name), extra) for one in map(Requirement, requirements) for extra in ("", *one.extras)]
    while left:
        name, extra = left.pop()
        if (name, extra) in seen:
            continue
        try:
            needs = [Requirement(text) for text in metadata.requires(name) or ()]
        except metadata.PackageNotFoundError:
            continue  # of another platform
        seen.add((name, extra))
        for need in needs:
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                left += [(normalized(need.name), wanted) for wanted in ("", *need.extras)]
    return {name for name, _ in seen}
