"""The settings among which each peer's best are looked for, on this machine and in this run."""

from typing import Any

_CSV: dict[str, Any] = {"file_format": "csv", "times_as_text": True}

# An upsert without indexes is quick at 20 thousand customers and quadratic: at 100 thousand its delete ran for more than six minutes.
DLT_VARIANTS: dict[str, dict[str, Any]] = {
    "dlt upsert, as it comes": {"strategy": "upsert", "file_format": "insert_values"},
    "dlt upsert, csv": _CSV | {"strategy": "upsert"},
    "dlt upsert, parquet": {"strategy": "upsert", "file_format": "parquet", "times_as_text": True},
    "dlt delete-insert, csv": _CSV | {"strategy": "delete-insert"},
    "dlt delete-insert, csv, no indexes": _CSV | {"strategy": "delete-insert", "create_indexes": False},
    "dlt delete-insert, csv, no indexes, 2 workers": _CSV
    | {"strategy": "delete-insert", "create_indexes": False, "normalize_workers": 2, "file_max_items": 20_000},
}
ARROW: dict[str, Any] = {"strategy": "delete-insert", "file_format": "csv", "create_indexes": False}

PANDAS_VARIANTS: dict[str, dict[str, Any]] = {
    "pandas to_sql": {"method": None, "chunksize": None},
    "pandas to_sql, chunks of 10,000": {"method": None, "chunksize": 10_000},
    "pandas to_sql, multi, chunks of 1,000": {"method": "multi", "chunksize": 1_000},
    "pandas, COPY as method": {"method": "copy", "chunksize": None},
}

_MERGED = _CSV | {"strategy": "delete-insert", "create_indexes": False}
JOB_VARIANTS: dict[str, dict[str, Any]] = {
    "dlt, in a loop": _MERGED | {"way": "loop"},
    "dlt, in a loop, 2 workers": _MERGED | {"way": "loop", "normalize_workers": 2, "file_max_items": 5_000},
    "dlt, parallelized": _MERGED | {"way": "parallelized", "phones_a_call": 1},
    "dlt, parallelized, 20 phones a call": _MERGED | {"way": "parallelized", "phones_a_call": 20},
    "dlt, own threads": _MERGED | {"way": "own threads"},
    "dlt, own threads, 2 workers": _MERGED | {"way": "own threads", "normalize_workers": 2, "file_max_items": 5_000},
}
