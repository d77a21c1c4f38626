"""Files that are there whole or not at all, even if the process is killed: the one place where a file is put under its name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

PRIVATE = 0o640
SHOWN = 0o666
"""For what a web server shows: less what the umask takes away."""
PART_SUFFIX = ".part"
"""Ends the name of a file that is being written."""
_LEFT_OVER = re.compile(rf"\.[0-9a-f]{{32}}{re.escape(PART_SUFFIX)}")
_PIECE_BYTES = 1 << 20


def is_left_over(name: str) -> bool:
    """Whether this is the name of a file whose writing has not ended: its writer was killed, or is at it."""
    return _LEFT_OVER.fullmatch(name) is not None


def put_whole(place: Any, content: bytes | Path, *, mode: int = PRIVATE) -> None:
    """Put bytes, or the content of a file, at a place: a path of `pathlib` or of Airflow's object storage; folders are made.

    An object store shows a file once it is complete, a folder by renaming it once it is on the disk. Raises what the storage does.
    """
    if getattr(place, "protocol", "file") not in ("", "file", "local"):
        try:
            _upload(place, content)
        except FileNotFoundError:
            place.fs.makedirs(place.parent.path, exist_ok=True)
            _upload(place, content)
        return
    target = Path(getattr(place, "path", place))
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        write_whole(folder, target.name, _pieces(content) if isinstance(content, Path) else [content], mode=mode)
    finally:
        os.close(folder)


def write_whole(folder: int, name: str, pieces: Iterable[bytes], *, mode: int = PRIVATE) -> None:
    """Write a file of that name in an open folder, through no link; raise `OSError`, and then the file is as it was."""
    part = f".{uuid4().hex}{PART_SUFFIX}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(part, flags, mode, dir_fd=folder), "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(part, dir_fd=folder)
        raise
    with suppress(OSError):  # the file is whole already; not every file system can record the name alone
        os.fsync(folder)


def _upload(place: Any, content: bytes | Path) -> None:
    if isinstance(content, Path):
        place.fs.put_file(str(content), place.path)
    else:
        place.fs.pipe_file(place.path, content)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
