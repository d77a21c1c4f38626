"""A release: built from a commit, twice, with the same bytes, and refused while version, changelog or tree don't agree."""

import hashlib
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from supplychain.release import NotReleasable, notes_of, release, released_version

ROOT = Path(__file__).parents[2]
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{name}"
dynamic = ["version"]
requires-python = ">=3.11"
[tool.hatch.version]
path = "{package}/__init__.py"
[tool.hatch.build.targets.wheel]
packages = ["{package}"]
"""
FILES = {
    "pyproject.toml": PROJECT.format(name="airflow-provider-syrve", package="plugins/syrve"),
    "plugins/syrve/__init__.py": '__version__ = "1.2.0"\n',
    "simulator/pyproject.toml": PROJECT.format(name="syrve-simulator", package="syrve_simulator"),
    "simulator/syrve_simulator/__init__.py": '__version__ = "1.2.0"\n',
    "docker/requirements.in": "",
    "docs/conf.py": 'project = "small"\n',
    "docs/index.rst": "Small\n=====\n",
    "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\nMore.\n\n## [1.2.0] - 2026-11-28\n\n- All.\n\n## [1.1.0]\n\n- Some.\n",
}

Checkout = Callable[..., Path]


@pytest.fixture
def short_bill(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bill of materials without the half minute that reading the environment takes; the last test writes the real one."""
    monkeypatch.setattr("supplychain.release.write_sbom", lambda _source, output: output.write_text("{}"))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Makes a small checkout with one commit; keywords change files of it."""

    def make(**changes: str) -> Path:
        root = tmp_path / "checkout"
        for name, text in (FILES | changes).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "Begin"]):
            author = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
            subprocess.run(["git", *author, *command], cwd=root, check=True)
        return root

    return make


@pytest.mark.usefixtures("short_bill")
def test_release_holds_everything_with_its_sums(checkout: Checkout, tmp_path: Path) -> None:
    root, output = checkout(), tmp_path / "out"

    sums = release(root, output)

    assert sorted(sums) == [
        "RELEASE_NOTES.md",
        "airflow-provider-syrve-1.2.0-docs.tar.gz",
        "airflow-provider-syrve-1.2.0.cdx.json",
        "airflow_provider_syrve-1.2.0-py3-none-any.whl",
        "airflow_provider_syrve-1.2.0.tar.gz",
        "syrve_simulator-1.2.0-py3-none-any.whl",
        "syrve_simulator-1.2.0.tar.gz",
    ]
    assert (output / "RELEASE_NOTES.md").read_text() == "## [1.2.0] - 2026-11-28\n\n- All.\n"
    lines = [line.split("  ") for line in (output / "SHA256SUMS").read_text().splitlines()]
    written = {name: digest for digest, name in lines}
    assert written == sums == {name: hashlib.sha256((output / name).read_bytes()).hexdigest() for name in sums}


@pytest.mark.usefixtures("short_bill")
def test_build_that_differs_is_not_released(checkout: Checkout, tmp_path: Path) -> None:
    root = checkout(**{"docs/conf.py": "import time\nproject = str(time.time_ns())\n"})

    with pytest.raises(NotReleasable, match=r"differ: airflow-provider-syrve-1\.2\.0-docs\.tar\.gz$"):
        release(root, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_changed_tree_is_not_released(checkout: Checkout, tmp_path: Path) -> None:
    root = checkout()
    (root / "CHANGELOG.md").write_text("changed")

    with pytest.raises(NotReleasable, match="commit or remove them"):
        release(root, tmp_path / "out")


def test_versions_that_do_not_agree_are_refused(checkout: Checkout) -> None:
    root = checkout(**{"simulator/syrve_simulator/__init__.py": '__version__ = "1.1.0"\n'})

    with pytest.raises(NotReleasable, match=r"has \['1\.1\.0'\]"):
        released_version(root)


def test_version_without_a_section_is_refused() -> None:
    assert notes_of(FILES["CHANGELOG.md"], "1.1.0") == "## [1.1.0]\n\n- Some.\n"
    with pytest.raises(NotReleasable, match=r"no section \[1\.3\.0\]"):
        notes_of(FILES["CHANGELOG.md"], "1.3.0")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_this_commit_builds_twice_with_the_same_bytes(tmp_path: Path) -> None:
    sums = release(ROOT, tmp_path, is_rehearsal=True)

    version = released_version(ROOT)
    assert len(sums) == 7
    (wheel,) = tmp_path.glob("airflow_provider_syrve-*.whl")
    with zipfile.ZipFile(wheel) as files:
        assert "syrve/_dags/syrve_customers.py" in files.namelist()
        assert {name.split("/")[0] for name in files.namelist()} == {
            "syrve",
            f"airflow_provider_syrve-{version}.dist-info",
        }
    with tarfile.open(tmp_path / f"airflow-provider-syrve-{version}-docs.tar.gz") as docs:
        assert {"docs/index.html", "docs/wallet.html"} <= set(docs.getnames())
        assert {(each.mtime > 0, each.uid, each.uname) for each in docs} == {(True, 0, "")}
