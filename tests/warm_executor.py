"""Airflow's LocalExecutor with what tasks import loaded before its workers are forked: most of a short task's work is to import it."""

import pkgutil
from importlib import import_module

from airflow.executors.local_executor import LocalExecutor

LOADED = (
    "airflow.providers.openlineage.extractors",
    "airflow.sdk.definitions.asset.metadata",
    "airflow.providers.amazon.aws.assets.s3",
    "pandas",
)
"""The last but one is loaded whenever a task makes an asset."""


class WarmExecutor(LocalExecutor):
    """Each task still is a process of its own, and reads its DAG file itself."""

    def start(self) -> None:
        import syrve

        for each in pkgutil.walk_packages(syrve.__path__, "syrve."):
            if not each.name.endswith("__main__") and not each.name.startswith("syrve.ui"):
                import_module(each.name)
        for name in LOADED:
            import_module(name)
        super().start()
