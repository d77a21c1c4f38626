"""Files are there whole or not at all, on the disk before they have their name, and not for everybody to read."""

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach

from syrve import whole_files
from syrve.whole_files import SHOWN, put_whole, write_whole

PLUGINS = Path(whole_files.__file__).parent


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("usual_umask")
def test_others_read_only_what_is_shown(tmp_path: Path) -> None:
    private, shown = tmp_path / "folder" / "private.json", tmp_path / "shown.html"
    put_whole(private, b"{}")
    put_whole(ObjectStoragePath(shown.as_uri()), b"<p>", mode=SHOWN)

    assert (private.read_bytes(), mode_of(private)) == (b"{}", 0o640)
    assert (shown.read_bytes(), mode_of(shown)) == (b"<p>", 0o644)


@pytest.mark.parametrize("at", ["write", "fsync", "replace"])
def test_file_that_can_not_be_written_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    source, place = tmp_path / "source", tmp_path / "there" / "report.html"
    source.write_text("first")
    put_whole(place, source)

    def full(*_: object, **__: object) -> Iterator[bytes]:
        yield b"half of the sec"
        raise OSError("the disk is full")

    def fails(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    if at == "write":
        monkeypatch.setattr(whole_files, "_pieces", full)
    else:
        monkeypatch.setattr(os, at, fails)
    with pytest.raises(OSError, match="full"):
        put_whole(place, source)

    assert place.read_text() == "first"
    assert [each.name for each in (tmp_path / "there").iterdir()] == ["report.html"]


def test_content_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def noted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            done.append(name)
            return real(*args, **named)

        return call

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))

    put_whole(tmp_path / "mark.json", b"{}")

    assert done == ["fsync", "replace", "fsync"]


def test_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("theirs")
    (tmp_path / "mark.json").symlink_to(elsewhere)

    put_whole(tmp_path / "mark.json", b"ours")

    assert (elsewhere.read_text(), (tmp_path / "mark.json").read_text()) == ("theirs", "ours")


@pytest.mark.parametrize("kind", ["bytes", "file"])
def test_store_without_the_folder_takes_the_file(tmp_path: Path, kind: str) -> None:
    attach("memory", fs=fsspec.filesystem("memory"))
    place = ObjectStoragePath(f"memory://{tmp_path.name}/new/folder/a.json")
    source = tmp_path / "source"
    source.write_bytes(b"{}")

    put_whole(place, b"{}" if kind == "bytes" else source)

    assert place.read_bytes() == b"{}"


def test_written_name_may_be_as_long_as_the_folder_allows(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        write_whole(folder, "x" * 255, [b"1"])
    finally:
        os.close(folder)

    assert [each.name for each in tmp_path.iterdir()] == ["x" * 255]


def test_no_other_module_writes_by_renaming() -> None:
    renaming = re.compile(r"os\.(replace|rename)\(|\.(replace|rename)\((target|path|final)\b|with_name\(.*part")
    found = {
        path.relative_to(PLUGINS).as_posix()
        for path in PLUGINS.rglob("*.py")
        if renaming.search(path.read_text(encoding="utf-8"))
    }

    assert found == {"whole_files.py"}
