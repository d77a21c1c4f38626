"""The whole job by hand: requests in threads, `COPY` into temporary tables, an upsert of what differs; a batch a transaction.

It has no models, retries, budget, rejects, history or roster.
"""

import csv
import io
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2
from benchmarks.clients.probe import Probe
from benchmarks.clients.syrve_answers import Asker

work = json.loads(Path(sys.argv[1]).read_text())
BATCH = 500
KEY = ("organization_id", "customer_id")
CUSTOMER = {
    "phone": "phone", "email": "email", "name": "name", "surname": "surname", "middle_name": "middleName", "birthday": "birthday",
    "sex": "sex", "referrer_id": "referrerId", "receives_order_status": "shouldReceiveOrderStatusInfo",
    "receives_promo": "shouldReceivePromoActionsInfo", "consent_from": "personalDataConsentFrom",
    "consent_to": "personalDataConsentTo", "is_deleted": "isDeleted",
}  # fmt: skip
CHILDREN = {
    "wallet_balance": ("walletBalances", ("id", "name", "type", "balance")),
    "card": ("cards", ("id", "track", "number", "validToDate")),
    "customer_category": ("categories", ("id", "name", "isActive", "isDefaultForNewGuests")),
}
COLUMNS = {"customer": (*KEY, *CUSTOMER), **{name: (*KEY, *fields) for name, (_, fields) in CHILDREN.items()}}


def rows(answers: list[dict[str, Any]]) -> dict[str, list[list[Any]]]:
    found: dict[str, list[list[Any]]] = {name: [] for name in COLUMNS}
    for answer in answers:
        key = [answer["organization_id"], answer["id"]]
        found["customer"].append(key + [answer[field] for field in CUSTOMER.values()])
        for table, (kind, fields) in CHILDREN.items():
            found[table] += [key + [child[field] for field in fields] for child in answer[kind]]
    return found


def create_tables(cursor: Any) -> None:
    for table, columns in COLUMNS.items():
        key = ", ".join(columns[: 2 if table == "customer" else 3])
        names = ", ".join(f'"{column}" text' for column in columns)
        cursor.execute(f"create table {table} ({names}, primary key ({key}))")


def merge(cursor: Any, batch: list[dict[str, Any]]) -> None:
    for table, table_rows in rows(batch).items():
        columns = COLUMNS[table]
        keys = columns[: 2 if table == "customer" else 3]
        own = [column for column in columns if column not in keys]
        text = io.StringIO()
        csv.writer(text).writerows(table_rows)
        text.seek(0)
        cursor.execute(f"create temporary table if not exists staged_{table} (like {table}) on commit delete rows")
        cursor.copy_expert(f"copy staged_{table} from stdin with csv", text)
        changes = ", ".join(f'"{column}" = excluded."{column}"' for column in own)
        kept, excluded = (", ".join(f'{side}."{column}"' for column in own) for side in ("kept", "excluded"))
        cursor.execute(
            f"insert into {table} as kept select * from staged_{table} on conflict ({', '.join(keys)}) "
            f"do update set {changes} where ({kept}) is distinct from ({excluded})"
        )


connection = psycopg2.connect(work["dsn"])
with connection, connection.cursor() as first:
    create_tables(first)
with Probe() as probe:
    asker = Asker(work["url"], work["organization_id"])
    with ThreadPoolExecutor(work["threads"]) as pool:
        answers = pool.map(asker.ask, work["phones"])
        for start in range(0, len(work["phones"]), BATCH):
            batch = [next(answers) for _ in work["phones"][start : start + BATCH]]
            with connection, connection.cursor() as cursor:
                merge(cursor, batch)
connection.close()
probe.report(done=len(work["phones"]))
