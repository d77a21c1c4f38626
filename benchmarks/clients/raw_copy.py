"""The limit: `COPY` of rows that are text already, table by table, in one transaction."""

import io
import json
import sys
from pathlib import Path

import psycopg2
from benchmarks.clients.probe import Probe

work = json.loads(Path(sys.argv[1]).read_text())
texts = {table: Path(path).read_bytes() for table, path in work["texts"].items()}


with Probe() as probe:
    connection = psycopg2.connect(work["dsn"])
    with connection, connection.cursor() as cursor:
        for table, text in texts.items():
            cursor.copy_expert(f"copy {table} from stdin", io.BytesIO(text), size=65_536)
    connection.close()
probe.report(done=sum(text.count(b"\n") for text in texts.values()))
