"""Reads what a report shows, all of it from one snapshot of the warehouse; the open findings also go to the CSV, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from syrve.reports.cells import amount_text, evidence_cell, id_only, time_text
from syrve.reports.tally import Tally
from syrve.warehouse.database import Connection, Warehouse
from syrve.warehouse.errors import warehouse_errors
from syrve.warehouse.sql_files import sql

CSV_COLUMNS = (
    "as_of",
    "finding_id",
    "rule",
    "severity",
    "status",
    "organization_id",
    "subject",
    "customer_id",
    "wallet_id",
    "hold_id",
    "amount_at_risk",
    "first_seen_at",
    "age_seconds",
    "evidence",
)
"""The contract of the CSV; new columns are added at the end."""
_CHUNK_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a report shows as of a moment."""

    as_of: datetime
    tally: Tally
    evaluations: pd.DataFrame
    over_time: pd.DataFrame
    newest: datetime | None


def gather(
    warehouse: Warehouse,
    csv: Path,
    *,
    as_of: datetime,
    organization_ids: Sequence[str] | None = None,
    days: int = 30,
    top: int = 50,
) -> Gathered:
    """Write the open findings of a moment to a CSV file and return their sums. Raises `WarehouseError`."""
    start_of_day = as_of.replace(hour=0, minute=0, second=0, microsecond=0)
    asked = {
        "as_of": as_of,
        "since": start_of_day - timedelta(days=days - 1) - timedelta(microseconds=1),
        "organization_ids": list(organization_ids) if organization_ids else None,
    }
    tally = Tally(top=top)
    with warehouse.connect() as connection, warehouse_errors("read the findings for the report"):
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with csv.open("w", encoding="utf-8", newline="") as file:
            _csv_frame(pd.DataFrame(columns=list(CSV_COLUMNS)), as_of).to_csv(file, index=False, lineterminator="\n")
            for chunk in _chunks(connection, "report/open_findings.sql", asked):
                tally.add(chunk)
                _csv_frame(chunk, as_of).to_csv(file, index=False, header=False, lineterminator="\n")
        evaluations = _frame(connection, "report/evaluations.sql", asked)
        over_time = _frame(connection, "report/over_time.sql", asked)
        newest = _frame(connection, "report/newest.sql", asked)["as_of"].iloc[0]
        connection.rollback()
    return Gathered(as_of, tally, evaluations, over_time, newest)


def _csv_frame(chunk: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    shown = pd.DataFrame({name: chunk[name] for name in CSV_COLUMNS if name != "as_of"}, dtype=object)
    shown.insert(0, "as_of", time_text(as_of))
    shown["amount_at_risk"] = shown["amount_at_risk"].map(amount_text)
    shown["first_seen_at"] = shown["first_seen_at"].map(time_text)
    shown["evidence"] = shown["evidence"].map(evidence_cell)
    for name in ("rule", "subject"):
        shown[name] = shown[name].map(id_only)
    return shown


def _chunks(connection: Connection, name: str, asked: dict[str, Any]) -> Iterator[pd.DataFrame]:
    with connection.cursor(name="findings") as cursor:
        cursor.itersize = _CHUNK_ROWS
        cursor.execute(sql(name), asked)
        while rows := cursor.fetchmany(_CHUNK_ROWS):
            columns = [column.name for column in cursor.description or ()]
            yield pd.DataFrame(rows, columns=columns, dtype=object)


def _frame(connection: Connection, name: str, asked: dict[str, Any]) -> pd.DataFrame:
    with connection.cursor() as cursor:
        cursor.execute(sql(name), asked)
        columns = [column.name for column in cursor.description or ()]
        return pd.DataFrame(cursor.fetchall(), columns=columns, dtype=object)
