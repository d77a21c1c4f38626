"""Folders and buckets as Airflow opens them: the inbox, and where files that outlive the warehouse lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow.sdk import BaseHook, ObjectStoragePath
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.io import attach

from syrve.errors import SyrveProviderError
from syrve.optional import require_extra

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

LOCAL_FOLDER = "reports"
_LOCAL = ("", "file", "local")
_S3 = ("s3", "s3a", "s3n")


class UnusableStorage(SyrveProviderError):
    """A bucket cannot be opened: its provider, its connection or the connection's login is missing."""


def open_storage(scheme: str, conn_id: str | None) -> AbstractFileSystem:
    """Return the file system of a scheme, with the login of a connection.

    Raises `UnusableStorage` if no installed provider knows the scheme, if there is no such connection, and if the store would be asked
    without a login: Airflow's provider then goes on, to a public bucket that may belong to a stranger.
    """
    if scheme in _S3:
        require_extra("s3", f"a bucket of {scheme}://", UnusableStorage)
    _check_connection(conn_id)
    try:
        storage = attach(scheme, conn_id).fs
    except Exception as error:  # noqa: BLE001 - each provider has its own errors, whose texts may hold keys
        raise UnusableStorage(
            f"a bucket of {scheme}:// cannot be opened ({type(error).__name__}); install Airflow's provider for it, check its connection"
        ) from None
    if getattr(storage, "anon", False):
        raise UnusableStorage(
            f"a bucket of {scheme}:// has no login: give its connection an access key and a secret, or the workers a role"
        )
    return storage


def reports_folder(path: object, path_conn_id: object, *, default: str = LOCAL_FOLDER) -> ObjectStoragePath:
    """Return the folder of the reports; empty or `none` means the `default` one in `AIRFLOW_HOME`.

    Raises `UnusableStorage` as `open_storage` does.
    """
    where, conn_id = _given(path), _given(path_conn_id)
    if where is None:
        home = os.environ.get("AIRFLOW_HOME") or Path.home() / "airflow"
        where = (Path(home).expanduser() / default).as_uri()
    return storage_path(where, conn_id)


def storage_path(url: str, conn_id: str | None) -> ObjectStoragePath:
    """Return a path on any storage that Airflow writes; raise `UnusableStorage` as `open_storage` does."""
    parts = urlsplit(url)
    if parts.scheme.lower() not in _LOCAL:
        named = parts.netloc.rpartition("@")[0]
        open_storage(parts.scheme.lower(), conn_id or named or None)
    return ObjectStoragePath(url, conn_id=conn_id)


def _check_connection(conn_id: str | None) -> None:
    if conn_id is None:
        return
    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise UnusableStorage(f"Airflow has no connection {conn_id}, which a folder or bucket is opened with") from None


def _given(value: object) -> str | None:
    text = "" if value is None else str(value).strip()
    return None if text.lower() in ("", "none") else text
