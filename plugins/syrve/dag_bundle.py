"""The project's DAGs as an Airflow DAG bundle, so that one's own Airflow loads them from the installed package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.dag_processing.bundles.local import LocalDagBundle

_PACKAGE = Path(__file__).resolve().parent


def dags_folder() -> Path:
    """Return the folder of the DAG files: beside the package if it is installed, at the top of the checkout otherwise."""
    packaged = _PACKAGE / "_dags"
    return packaged if packaged.is_dir() else _PACKAGE.parents[1] / "dags"


class SyrveDagBundle(LocalDagBundle):
    """The DAGs of the installed version: a new version of the package brings new ones; the folder is never written.

    An entry of `[dag_processor] dag_bundle_config_list`: `{"name": "syrve", "classpath": "syrve.dag_bundle.SyrveDagBundle", "kwargs": {}}`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(path=str(dags_folder()), **kwargs)
