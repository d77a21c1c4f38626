"""The edits of a CRM by hand: pyiikocloudapi in threads, a row marked as sent after its call.

It is told which rows were edited. It has no plan, agreement, conflicts, consents, retries, approval, record of attempts or budget.
"""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
from benchmarks.clients.probe import Probe
from pyiikocloudapi import IikoTransport

work = json.loads(Path(sys.argv[1]).read_text())
threads = int(sys.argv[2])
local = threading.local()


def send(row: tuple[str, str]) -> bool:
    if not hasattr(local, "api"):
        local.api = IikoTransport("demo-login", base_url=work["url"])
        local.connection = psycopg2.connect(work["dsn"])
        local.connection.autocommit = True
    customer_id, name = row
    answer = local.api.customer_create_or_update(work["organization_id"], id=customer_id, name=name)
    if getattr(answer, "id", None) != customer_id:
        return False
    with local.connection.cursor() as cursor:
        cursor.execute("update edited set sent_at = now() where customer_id = %s", (customer_id,))
    return True


with Probe() as probe:
    connection = psycopg2.connect(work["dsn"])
    with connection.cursor() as cursor:
        cursor.execute("select customer_id::text, name from edited where sent_at is null")
        rows = cursor.fetchall()
    with ThreadPoolExecutor(threads) as pool:
        done = sum(pool.map(send, rows))
probe.report(done=done)
