"""How the dlt clients load: one pipeline, settings from the harness, tables merged by key."""

import os
from collections.abc import Mapping
from typing import Any


def configure(settings: Mapping[str, Any]) -> None:
    """Put dlt's settings into the environment; call it before dlt is imported."""
    workers = settings.get("extract_workers", 5)
    wanted = {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
        "EXTRACT__WORKERS": workers,
        "EXTRACT__MAX_PARALLEL_ITEMS": 2 * workers,
        "NORMALIZE__WORKERS": settings.get("normalize_workers", 1),
        "LOAD__WORKERS": settings.get("load_workers", 20),
        "DATA_WRITER__DISABLE_COMPRESSION": "true",
        "DATA_WRITER__FILE_MAX_ITEMS": settings.get("file_max_items"),
        "DESTINATION__POSTGRES__CREATE_INDEXES": str(settings.get("create_indexes", True)).lower(),
    }
    os.environ.update({name: str(value) for name, value in wanted.items() if value is not None})


def customers_resource(source: Any, settings: Mapping[str, Any], key: tuple[str, str]) -> Any:
    """Make the resource of nested customers; dlt makes the child tables."""
    import dlt

    make = dlt.transformer if settings.get("transformer") else dlt.resource
    return make(
        source,
        name="customer",
        primary_key=list(key),
        write_disposition={"disposition": "merge", "strategy": settings["strategy"]},
        parallelized=settings.get("transformer", False),
    )


def run(resources: Any, settings: Mapping[str, Any], work: Mapping[str, Any]) -> None:
    """Run the pipeline; a failed job raises."""
    import dlt

    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=work["pipelines_dir"],
        destination=dlt.destinations.postgres(work["dsn"]),
        dataset_name="loaded",
    )
    schema = dlt.Schema("bench")
    if settings.get("times_as_text"):
        schema.remove_type_detection("iso_timestamp")  # otherwise every time in every record is parsed and written anew
    pipeline.run(resources, loader_file_format=settings["file_format"], schema=schema).raise_on_failed_jobs()
