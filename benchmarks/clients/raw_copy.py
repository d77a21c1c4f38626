"""The limit: `COPY` of rows that are text already, table by table, in one transaction."""

import json
import sys
from pathlib import Path

import psycopg2
from benchmarks.clients.probe import Probe

work = json.loads(Path(sys.argv[1]).read_text())
texts = {table: Path(path).read_bytes() for table, path in work["texts"].items()}


class _Text:
    """Hands bytes out in the pieces that libpq asks for, without a copy of the whole."""

    def __init__(self, text: bytes) -> None:
        self._text = memoryview(text)
        self._at = 0

    def read(self, size: int) -> bytes:
        piece = self._text[self._at : self._at + size]
        self._at += size
        return bytes(piece)


with Probe() as probe:
    connection = psycopg2.connect(work["dsn"])
    with connection, connection.cursor() as cursor:
        for table, text in texts.items():
            cursor.copy_expert(f"copy {table} from stdin", _Text(text), size=65_536)
    connection.close()
probe.report(done=sum(text.count(b"\n") for text in texts.values()))
