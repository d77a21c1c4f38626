"""The inbox as the page shows it: names of the files that an import may read, and a place for a file that a person drops on the page."""

from __future__ import annotations

import os
import re
import secrets
import string
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from fastapi import UploadFile

from syrve.hooks.setting import setting
from syrve.sources.bad_rows import SUFFIX
from syrve.sources.errors import UnusableSource
from syrve.sources.inbox import parse_inbox
from syrve.ui.errors import PageError
from syrve.whole_files import PART_SUFFIX, write_whole

ENDINGS = (".csv", ".csv.gz", ".parquet", ".xlsx")
MOST_SHOWN = 200
MOST_LOOKED_AT = 2_000
MOST_BYTES = 50 * 1024 * 1024
MOST_DROPPED_BYTES = 20 * MOST_BYTES
"""Of all files that people have dropped and not deleted, each counted as a megabyte at least: otherwise a user who may start
an import could fill the disk."""
_DROPPED = "dropped-"
_PIECE_BYTES = 1 << 20
_DIGITS = re.compile(r"\d")
_NOWHERE = "The api-server has no folder of the inbox. Put the file where SYRVE_INBOX says, and write its name here."


def looks_like_a_phone(name: str) -> bool:
    """Return whether a name has enough digits that it may be a phone: such a name reaches neither Airflow nor the page."""
    return len(_DIGITS.findall(name)) >= 10


def is_dropped(name: object) -> bool:
    """Return whether this is the name under which a dropped file was kept."""
    return isinstance(name, str) and name.startswith(_DROPPED)


def inbox_files() -> list[str]:
    """Return the names of files in the inbox's own folders, the newest first; none of a bucket, or of what the api-server cannot read."""
    found: dict[str, float] = {}
    for root in _folders():
        try:
            for number, entry in enumerate(root.iterdir()):
                if number >= MOST_LOOKED_AT:
                    break
                name = entry.name
                is_shown = name.lower().endswith(ENDINGS) and not name.endswith(SUFFIX) and not looks_like_a_phone(name)
                if is_shown and entry.is_file() and not entry.is_symlink():
                    found.setdefault(name, entry.stat().st_mtime)
        except OSError:
            continue
    return sorted(found, key=lambda name: -found[name])[:MOST_SHOWN]


def path_of(path: str, dropped: UploadFile | None) -> str | None:
    """Return what a form names: the path that was chosen, or the name under which the dropped file was kept; None if neither.

    Raises `PageError`, and then nothing was kept.
    """
    chosen = path.strip()
    if dropped is not None and dropped.filename:
        if chosen:
            raise PageError(400, "Two files were named", "Nothing was started. Either choose a file, or drop one.")
        return keep_dropped(dropped.filename, dropped.file)
    if looks_like_a_phone(chosen):
        raise PageError(400, "The name of the file looks like a phone", "Nothing was started. Rename the file.")
    return chosen or None


def keep_dropped(filename: str, file: IO[bytes]) -> str:
    """Put a dropped file into the first folder of the inbox under a new name, and return that; raise `PageError`."""
    ending = next((each for each in sorted(ENDINGS, key=len, reverse=True) if filename.lower().endswith(each)), None)
    if ending is None:
        raise PageError(
            400, "This file cannot be read", f"Nothing was started. Drop one that ends in {', '.join(ENDINGS)}."
        )
    folders = _folders()
    if not folders:
        raise PageError(400, "There is no folder to put the file into", f"Nothing was started. {_NOWHERE}")
    name = f"{_DROPPED}{datetime.now(UTC):%m-%d}-{_letters()}{ending}"
    try:
        folders[0].mkdir(parents=True, exist_ok=True)
        folder = os.open(folders[0], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _refuse_when_full(folder)
            write_whole(folder, name, _pieces(file))
        finally:
            os.close(folder)
    except OSError:
        raise PageError(
            503, "The inbox cannot be written by the api-server", f"Nothing was started. {_NOWHERE}"
        ) from None
    return name


def _refuse_when_full(folder: int) -> None:
    """Raise `PageError` if the dropped files of an open folder have no room for another, those under way included."""
    kept = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_DROPPED) or entry.name.endswith(PART_SUFFIX):
                with suppress(FileNotFoundError):
                    kept += max(_PIECE_BYTES, entry.stat(follow_symlinks=False).st_size)
    if kept + MOST_BYTES > MOST_DROPPED_BYTES:
        raise PageError(
            507,
            "The inbox has no room for another dropped file",
            f"Nothing was started. Delete its files {_DROPPED}… that were imported, or put yours into the inbox itself.",
        )


def _letters() -> str:
    """Make a name without digits, which could look like a phone."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(8))


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    left = MOST_BYTES
    while piece := file.read(_PIECE_BYTES):
        left -= len(piece)
        if left < 0:
            raise PageError(
                413,
                f"The file is larger than {MOST_BYTES >> 20} MB",
                "Nothing was started. Put it into the inbox itself.",
            )
        yield piece


def _folders() -> list[Path]:
    try:
        return [Path(each.root) for each in parse_inbox(setting("SYRVE_INBOX")) if each.scheme == "file"]
    except UnusableSource:
        return []
