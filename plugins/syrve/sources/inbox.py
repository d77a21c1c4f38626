"""Where files of forms may lie: the folders and buckets of `SYRVE_INBOX`, and nothing outside of them by any trick of names or links."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO
from urllib.parse import urlsplit

from syrve.sources.errors import UnusableSource
from syrve.whole_files import write_whole

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_NEVER = frozenset({"http", "https", "ftp", "data", "memory", "jar", "zip", "tar", "github", "git"})
_OUTSIDE = "path is outside of the inbox: put the file there and name it by its path in the inbox, such as guests.csv"


@dataclass(frozen=True, slots=True)
class Folder:
    """An inbox: a local folder (`scheme` is file), or a bucket with a prefix, read by `conn_id` if the URL names one."""

    scheme: str
    root: str
    bucket: str = ""
    conn_id: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A file's place in an inbox: its names below the root, none of them `..`."""

    folder: Folder
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the file, without its folders."""
        return self.parts[-1]

    @property
    def key(self) -> str:
        """The name of a file in a bucket, the bucket's name before it: what a file system of fsspec is asked for."""
        return "/".join(part for part in (self.folder.bucket, self.folder.root.strip("/"), *self.parts) if part)


def parse_inbox(text: str | None) -> list[Folder]:
    """Read the value of `SYRVE_INBOX`; raise `UnusableSource` for what can be no inbox."""
    folders = []
    for each in (part.strip() for part in (text or "").split(",")):
        if not each or each.lower() == "none":
            continue
        scheme = _SCHEME.match(each)
        if scheme is None or scheme[1].lower() == "file":
            root = each[len(scheme[0]) :] if scheme else each
            if not root.startswith("/") or root.strip("/") == "" or ".." in PurePosixPath(root).parts:
                raise UnusableSource("SYRVE_INBOX: a folder must be an absolute path, and not the whole machine")
            folders.append(Folder("file", root.rstrip("/")))
            continue
        folders.append(_bucket(each))
    return folders


def _bucket(url: str) -> Folder:
    parts = urlsplit(url)
    if parts.scheme.lower() in _NEVER or "::" in url or "?" in url or "#" in url:
        raise UnusableSource("SYRVE_INBOX: folders and buckets only, such as s3://bucket/inbox; no web address")
    conn_id, _, bucket = parts.netloc.rpartition("@")
    if not bucket or ".." in PurePosixPath(parts.path).parts:
        raise UnusableSource("SYRVE_INBOX: a bucket is written as s3://bucket/inbox or s3://connection@bucket/inbox")
    return Folder(parts.scheme.lower(), parts.path.strip("/"), bucket, conn_id or None)


def find_in_inbox(folders: Iterable[Folder], path: str) -> list[Found]:
    """Return where a form's path may be, the first inbox first; raise `UnusableSource` if it is in none of them.

    `path` is a name below an inbox (`guests.csv`, `2026/guests.csv`), or the whole path or URL of a file in one.
    """
    known = list(folders)
    if not known:
        raise UnusableSource("there is no inbox: set SYRVE_INBOX to the folder or bucket that forms may read from")
    if "\0" in path or "::" in path or "\\" in path:
        raise UnusableSource(_OUTSIDE)
    scheme = _SCHEME.match(path)
    if scheme is None and not path.startswith("/"):
        return [Found(each, _parts(path)) for each in known]
    kind = scheme[1].lower() if scheme else "file"
    rest = path[len(scheme[0]) :] if scheme else path
    found = [place for each in known if each.scheme == kind for place in _below(each, rest)]
    if not found:
        raise UnusableSource(_OUTSIDE)
    return found


def _below(folder: Folder, rest: str) -> Iterator[Found]:
    if folder.scheme == "file":
        roots = {folder.root, os.path.realpath(folder.root)}
    else:
        # A connection in the path of a form counts for nothing: the inbox says by which it is read.
        rest = rest.rpartition("@")[2] if "@" in rest.split("/", 1)[0] else rest
        roots = {f"{folder.bucket}/{folder.root}".rstrip("/")}
    for root in roots:
        if rest.startswith(f"{root}/"):
            yield Found(folder, _parts(rest[len(root) + 1 :]))
            return


def _parts(path: str) -> tuple[str, ...]:
    parts = tuple(path.split("/"))
    if not path or any(part in ("", ".", "..") for part in parts):
        raise UnusableSource(_OUTSIDE)
    return parts


@contextmanager
def _folder_of(found: Found) -> Iterator[int]:
    """Open the folder that a local file is in, step by step and through no link; the descriptor closes in the end."""
    descriptor = os.open(os.path.realpath(found.folder.root), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in found.parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def open_local(places: Sequence[Found]) -> tuple[Found, IO[bytes]] | None:
    """Open the first of these local files that is there; None if none is.

    Raises `UnusableSource` for a link, for what is no plain file, and for one that may not be read.
    """
    for found in places:
        try:
            with _folder_of(found) as folder:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                descriptor = os.open(found.name, flags, dir_fd=folder)
        except FileNotFoundError:
            continue
        except PermissionError:
            raise UnusableSource("the file at path may not be read by the worker that runs the task") from None
        except OSError:
            raise UnusableSource(
                "path is a link, or goes through one, or through something that is not a folder; only plain files are read"
            ) from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise UnusableSource("path is not a plain file")
        return found, os.fdopen(descriptor, "rb")
    return None


def write_beside(found: Found, suffix: str, pieces: Iterable[bytes]) -> bool:
    """Write a file beside a local one, as a whole or not at all; return whether the folder can be written."""
    try:
        with _folder_of(found) as folder:
            write_whole(folder, f"{found.name}{suffix}", pieces)
    except OSError:
        return False
    return True
