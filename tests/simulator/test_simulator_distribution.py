"""The simulator is a distribution of its own; neither wheel holds anything of the other."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SIMULATOR = REPOSITORY / "simulator"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Build both wheels; the top-level names that each brings, by distribution."""
    folder = tmp_path_factory.mktemp("wheels")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(folder), str(REPOSITORY), str(SIMULATOR)], check=True, timeout=200)
    return {
        wheel.name.partition("-")[0]: {
            name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name
        }
        for wheel in folder.glob("*.whl")
    }


def test_each_wheel_holds_its_own_package_and_no_other(wheels: dict[str, set[str]]) -> None:
    assert wheels == {"airflow_provider_syrve": {"syrve"}, "syrve_simulator": {"syrve_simulator"}}


def test_simulator_declares_what_it_imports_and_nothing_else() -> None:
    imported: set[str] = set()
    for path in (SIMULATOR / "syrve_simulator").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    project = tomllib.loads((SIMULATOR / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[<>=!~ ;\[]", requirement)[0] for requirement in project["dependencies"]}

    assert imported - sys.stdlib_module_names - {"syrve_simulator"} == declared


def test_provider_asks_for_the_simulator_in_an_extra_alone() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

    assert not [each for each in project["dependencies"] if each.startswith("syrve-simulator")]
    assert [each.partition(">")[0] for each in project["optional-dependencies"]["simulator"]] == ["syrve-simulator"]
