"""Where files that outlive the warehouse lie: the folder of the reports, on any storage that Airflow writes."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import ObjectStoragePath

LOCAL_FOLDER = "reports"


def reports_folder(path: object, path_conn_id: object, *, default: str = LOCAL_FOLDER) -> ObjectStoragePath:
    """Return the folder of the reports; empty or `none` means the `default` one in `AIRFLOW_HOME`."""
    where = _given(path)
    if where is None:
        home = os.environ.get("AIRFLOW_HOME") or Path.home() / "airflow"
        where = (Path(home).expanduser() / default).as_uri()
    return ObjectStoragePath(where, conn_id=_given(path_conn_id))


def _given(value: object) -> str | None:
    text = "" if value is None else str(value).strip()
    return None if text.lower() in ("", "none") else text
