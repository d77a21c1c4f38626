"""Merges the customers with dlt after the caller has flattened them into four Arrow tables, dlt's fastest way in."""

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.clients import dlt_pipeline
from benchmarks.clients.probe import Probe
from benchmarks.population import TABLES, customers, flat_rows

work = json.loads(Path(sys.argv[1]).read_text())
settings = json.loads(sys.argv[2])
dlt_pipeline.configure(settings)
import dlt  # noqa: E402
import pyarrow as pa  # noqa: E402

data = list(customers(work["count"], work["seed"], **work["load"]))


def tables() -> Any:
    rows: dict[str, list[Any]] = {name: [] for name in TABLES}
    for customer in data:
        for table, row in flat_rows(customer):
            rows[table].append(row)
    for name, (columns, key) in TABLES.items():
        arrays = [pa.array(values) for values in zip(*rows[name], strict=True)]
        yield dlt.resource(
            [pa.Table.from_arrays(arrays, names=list(columns))],
            name=name,
            primary_key=list(key),
            write_disposition={"disposition": "merge", "strategy": settings["strategy"]},
        )


with Probe() as probe:
    dlt_pipeline.run(list(tables()), settings, work)
probe.report(done=len(data))
