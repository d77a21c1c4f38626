"""The whole job with dlt: a resource that looks each customer up, merged into a parent and three child tables."""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.clients import dlt_pipeline
from benchmarks.clients.probe import Probe
from benchmarks.clients.syrve_answers import Asker

work = json.loads(Path(sys.argv[1]).read_text())
settings = json.loads(sys.argv[2]) | {"extract_workers": work["concurrency"]}
dlt_pipeline.configure(settings)
import dlt  # noqa: E402

PAGE = 500
KEY = ("organization_id", "id")
pages = [work["phones"][start : start + PAGE] for start in range(0, len(work["phones"]), PAGE)]


def in_a_loop() -> Iterator[list[Any]]:
    asker = Asker(work["url"], work["organization_id"])
    for page in pages:
        yield [asker.ask(phone) for phone in page]


def in_own_threads() -> Iterator[list[Any]]:
    asker = Asker(work["url"], work["organization_id"])
    with ThreadPoolExecutor(work["concurrency"]) as pool:
        answers = pool.map(asker.ask, work["phones"])  # all are under way at once: no pause at the end of a page
        for page in pages:
            yield [next(answers) for _ in page]


def parallelized() -> Any:
    """dlt's own way: a transformer that its thread pool runs, on a few phones at a time."""
    asker = Asker(work["url"], work["organization_id"])
    size = settings["phones_a_call"]
    groups = [work["phones"][start : start + size] for start in range(0, len(work["phones"]), size)]

    def look_up(group: list[str]) -> list[Any]:
        return [asker.ask(phone) for phone in group]

    looked_up = dlt_pipeline.customers_resource(look_up, settings | {"transformer": True}, KEY)
    return dlt.resource(lambda: iter(groups), name="phones", selected=False) | looked_up


with Probe() as probe:
    way = settings["way"]
    if way == "parallelized":
        resource = parallelized()
    else:
        source = in_own_threads if way == "own threads" else in_a_loop
        resource = dlt_pipeline.customers_resource(source, settings, KEY)
    dlt_pipeline.run(resource, settings, work)
probe.report(done=len(work["phones"]))
