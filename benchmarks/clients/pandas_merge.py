"""Merges the customers with pandas: frames, `to_sql` into staging tables, one upsert a table, all in one transaction."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa
from benchmarks.clients.probe import Probe
from benchmarks.population import TABLES, customers, flat_rows
from sqlalchemy.dialects.postgresql import UUID

TYPES: dict[str, Any] = {
    "organization_id": UUID, "customer_id": UUID, "wallet_id": UUID, "card_id": UUID, "category_id": UUID,
    "birthday": sa.Date, "consent_from": sa.DateTime(timezone=True), "fetched_at": sa.DateTime(timezone=True),
    "type": sa.Integer, "balance": sa.Numeric, "is_deleted": sa.Boolean, "is_active": sa.Boolean,
    "receives_order_status": sa.Boolean, "receives_promo": sa.Boolean, "is_default_for_new_guests": sa.Boolean,
}  # fmt: skip


def copy_rows(table: Any, connection: Any, names: list[str], rows: Any) -> None:
    """The `method` that pandas's documentation gives for Postgres ("insertion method")."""
    with connection.connection.cursor() as cursor:
        buffer = io.StringIO()
        csv.writer(buffer).writerows(rows)
        buffer.seek(0)
        cursor.copy_expert(f"copy {table.name} ({', '.join(names)}) from stdin with csv", buffer)


def upsert(table: str) -> str:
    columns, key = TABLES[table]
    own = [column for column in columns if column not in key]
    changes = ", ".join(f"{column} = excluded.{column}" for column in own)
    names = ", ".join(columns)
    return (
        f"insert into {table} ({names}) select {names} from staging_{table} "
        f"on conflict ({', '.join(key)}) do update set {changes}"
    )


def create_tables(engine: sa.Engine) -> None:
    tables = sa.MetaData()
    for name, (columns, key) in TABLES.items():
        sa.Table(name, tables, *(sa.Column(c, TYPES.get(c, sa.Text), primary_key=c in key) for c in columns))
    tables.create_all(engine)


def main() -> None:
    work = json.loads(Path(sys.argv[1]).read_text())
    settings = json.loads(sys.argv[2])
    rows: dict[str, list[Any]] = {name: [] for name in TABLES}
    for customer in customers(work["count"], work["seed"], **work["load"]):
        for table, row in flat_rows(customer):
            rows[table].append(dict(zip(TABLES[table][0], row, strict=True)))
    engine = sa.create_engine(work["dsn"].replace("postgresql://", "postgresql+psycopg2://"))
    create_tables(engine)
    method = copy_rows if settings["method"] == "copy" else settings["method"]
    with Probe() as probe, engine.begin() as connection:
        for name in TABLES:
            pd.DataFrame(rows[name]).to_sql(
                f"staging_{name}",
                connection,
                if_exists="replace",
                index=False,
                dtype={column: TYPES.get(column, sa.Text) for column in TABLES[name][0]},
                method=method,
                chunksize=settings["chunksize"],
            )
            connection.execute(sa.text(upsert(name)))
    probe.report(done=sum(map(len, rows.values())))


if __name__ == "__main__":
    main()
