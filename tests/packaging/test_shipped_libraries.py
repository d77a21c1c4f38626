"""Libraries of others that the package ships: unchanged, with their licences, and named where people look for them."""

import hashlib
import json
import tomllib
from typing import Any

import pytest

from devstack.cli import REPOSITORY

UI = REPOSITORY / "plugins" / "syrve" / "ui"
SHIPPED: list[dict[str, Any]] = json.loads((UI / "vendored.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("library", SHIPPED, ids=lambda each: each["name"])
def test_shipped_library_is_what_its_registry_has(library: dict[str, Any]) -> None:
    for name, expected in library["sha256"].items():
        content = (UI / library["folder"] / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == expected, name
    scripts = "".join(path.read_text(encoding="utf-8") for path in (UI / library["folder"]).glob("*.js"))
    assert f"v{library['version']}\n" in scripts, "the version of its banner"


def test_every_shipped_file_is_listed() -> None:
    listed = {UI / each["folder"] / name for each in SHIPPED for name in each["sha256"]}
    found = {path for path in (UI / "static" / "vendor").rglob("*") if path.is_file()}

    assert found == listed


@pytest.mark.parametrize("library", SHIPPED, ids=lambda each: each["name"])
def test_licence_is_shipped_and_documented(library: dict[str, Any]) -> None:
    licences = [f"plugins/syrve/ui/{library['folder']}/{name}" for name in library["sha256"] if "LICENSE" in name]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    documented = (REPOSITORY / "docs" / "licences.md").read_text(encoding="utf-8")

    assert licences
    assert set(licences) <= set(project["license-files"])
    assert library["licence"] in project["license"]
    assert f"| {library['version']} | {library['licence']} | {library['used_for']} |" in documented
    assert f"`{library['name']}`" in documented
