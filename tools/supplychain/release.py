"""Everything that a release publishes, built twice from a commit and compared byte by byte.

The source is what git has at a commit, never the working tree, and every time in it is the commit's. What a release holds: wheels and
source distributions of the provider and of the simulator, the bill of materials, the docs site, the notes of the changelog, and the
SHA-256 of each.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from supplychain.sbom import write_sbom

SUMS = "SHA256SUMS"
VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
VERSION_FILES = ("plugins/syrve/__init__.py", "simulator/syrve_simulator/__init__.py")


class NotReleasable(Exception):
    """The checkout can't be released as it is; the text says what to do."""


def release(root: Path, output: Path, *, is_rehearsal: bool = False) -> dict[str, str]:
    """Build a release of the checkout's commit into `output`; returns the SHA-256 of each file by its name.

    A rehearsal takes the changelog's section *Unreleased*. Raises `NotReleasable` if the working tree has changes, the versions or the
    changelog don't agree, or two builds differ.
    """
    if _git(root, "status", "--porcelain") and not is_rehearsal:
        raise NotReleasable("the working tree has changes: commit or remove them, a release is built from a commit")
    commit = _git(root, "rev-parse", "HEAD")
    with tempfile.TemporaryDirectory(prefix="syrve-release-") as folder:
        made = [Path(folder) / name for name in ("one", "two")]
        for each in made:
            _build(root, commit, each, is_rehearsal=is_rehearsal)
        first, second = (_sums(each / "dist") for each in made)
        differing = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
        if differing:
            raise NotReleasable(f"two builds of {commit[:12]} differ: {', '.join(differing)}")
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(made[0] / "dist", output)
    (output / SUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in first.items()), encoding="ascii")
    return first


def released_version(source: Path) -> str:
    """Return the version that both distributions of a source tree have; raises `NotReleasable` if they differ."""
    found = {name: VERSION.findall((source / name).read_text(encoding="utf-8")) for name in VERSION_FILES}
    versions: set[str] = {version for each in found.values() for version in each}
    if len(versions) != 1 or any(len(each) != 1 for each in found.values()):
        raise NotReleasable(
            f"the versions don't agree: {', '.join(f'{name} has {each}' for name, each in found.items())}"
        )
    return versions.pop()


def notes_of(changelog: str, heading: str) -> str:
    """Return the changelog's section with this heading, such as `0.1.0` or `Unreleased`; raises `NotReleasable` without one."""
    for section in re.split(r"^(?=## )", changelog, flags=re.MULTILINE):
        title, _, body = section.partition("\n")
        if title.startswith(f"## [{heading}]"):
            return f"{title}\n\n{body.strip()}\n"
    raise NotReleasable(f"CHANGELOG.md has no section [{heading}]: name the version there, or rehearse with --rehearse")


def _build(root: Path, commit: str, folder: Path, *, is_rehearsal: bool) -> None:
    source, dist = folder / "source", folder / "dist"
    dist.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", commit], cwd=root, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(source, filter="data")
    epoch = _git(root, "show", "--no-patch", "--format=%ct", commit)
    version = released_version(source)
    notes = notes_of((source / "CHANGELOG.md").read_text(encoding="utf-8"), "Unreleased" if is_rehearsal else version)
    (dist / "RELEASE_NOTES.md").write_text(notes, encoding="utf-8")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch, "PYTHONHASHSEED": "0"}
    for project in (source, source / "simulator"):
        command = [sys.executable, "-m", "hatchling", "build", "--directory", str(dist)]
        _run(command, project, environment)
    write_sbom(source, dist / f"airflow-provider-syrve-{version}.cdx.json")
    _run([sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "docs", "site"], source, environment)
    _pack(source / "site", dist / f"airflow-provider-syrve-{version}-docs.tar.gz", int(epoch))


def _pack(site: Path, output: Path, epoch: int) -> None:
    """Pack a folder so that the same files give the same bytes: sorted, with one time and no user's name."""
    with (
        output.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", mtime=epoch, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as files,
    ):
        for path in sorted(each for each in site.rglob("*") if each.is_file() and ".doctrees" not in each.parts):
            entry = tarfile.TarInfo(f"docs/{path.relative_to(site).as_posix()}")
            entry.size, entry.mtime, entry.mode = path.stat().st_size, epoch, 0o644
            with path.open("rb") as content:
                files.addfile(entry, content)


def _sums(folder: Path) -> dict[str, str]:
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in sorted(folder.iterdir())}


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise NotReleasable(f"{' '.join(command[1:4])} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()
