"""What the package says of its extras is what pyproject.toml declares."""

import tomllib
from importlib.metadata import distribution
from typing import Any

import pytest
from packaging.requirements import Requirement

from devstack.cli import REPOSITORY
from syrve.notifications.errors import UnusableChannel
from syrve.optional import EXTRAS, MissingExtra, require_extra

GUIDE = REPOSITORY / "docs" / "install.md"
WITHOUT_IMPORTS = {"all", "simulator", "openlineage", "statsd"}
"""Those that Airflow itself looks up, and what is no library."""


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return found


def imports_of(requirement: str) -> set[str]:
    files = distribution(Requirement(requirement).name).files or []
    return {".".join(file.parts[:-1]) for file in files if file.name == "__init__.py"}


def test_every_extra_is_known_to_the_code() -> None:
    assert set(project()["optional-dependencies"]) - WITHOUT_IMPORTS == set(EXTRAS)


@pytest.mark.parametrize("extra", EXTRAS)
def test_extra_brings_the_packages_that_the_code_names(extra: str) -> None:
    declared = project()["optional-dependencies"][extra]

    for package in EXTRAS[extra]:
        assert [each for each in declared if package in imports_of(each)], package
    for each in declared:
        assert imports_of(each) & set(EXTRAS[extra]), each


def test_all_is_every_extra_of_the_package() -> None:
    (everything,) = project()["optional-dependencies"]["all"]

    assert Requirement(everything).extras == set(project()["optional-dependencies"]) - {"all", "simulator"}


def test_install_guide_names_every_extra() -> None:
    assert [extra for extra in project()["optional-dependencies"] if f"`{extra}`" not in GUIDE.read_text()] == []


def test_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "reports", ("pandas", "no_such_package", "airflow.providers.no_such.hooks"))

    with pytest.raises(MissingExtra) as caught:
        require_extra("reports", "the report")

    assert str(caught.value) == (
        "the report needs no_such_package, airflow.providers.no_such.hooks, not installed here: "
        "pip install 'airflow-provider-syrve[reports]'"
    )
    with pytest.raises(UnusableChannel):
        require_extra("reports", "a channel", UnusableChannel)
