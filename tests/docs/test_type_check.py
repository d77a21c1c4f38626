"""The strict type check covers every folder of Python, and excuses no module of ours."""

import subprocess
import tomllib

from devstack.cli import REPOSITORY

CONFIG = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["mypy"]


def test_every_folder_with_python_is_checked() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    folders = {path.partition("/")[0] for path in listed.stdout.split() if "/" in path}

    assert folders - set(CONFIG["files"]) == set()


def test_no_module_of_ours_is_excused() -> None:
    assert CONFIG["strict"] is True
    for override in CONFIG["overrides"]:
        assert set(override) == {"module", "ignore_missing_imports"}
