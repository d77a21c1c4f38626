"""Makes the files of a run's report, in a local folder; the caller moves them to their place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from syrve.reports.gather import gather
from syrve.reports.page import RuleText, render
from syrve.warehouse.database import Warehouse

LATEST = "latest.html"


@dataclass(frozen=True, slots=True)
class Report:
    """The files of a report by the names under which they shall lie, in the order to write them, and what they show."""

    files: Mapping[str, Path]
    csv_name: str
    html_name: str
    findings: int
    at_risk: Decimal
    is_newest: bool


def make_report(
    warehouse: Warehouse,
    folder: Path,
    *,
    as_of: datetime,
    run_id: str,
    rules: Mapping[str, RuleText],
    organization_ids: Sequence[str] | None = None,
    days: int = 30,
    top: int = 50,
) -> Report:
    """Write the CSV and the page of a moment into a folder; the newest report also as `latest.html`.

    The same run makes files of the same names, and of the same bytes while the findings of the moment are the same. Raises
    `WarehouseError`.
    """
    as_of = as_of.astimezone(UTC)
    csv_name, html_name = file_names(as_of, run_id)
    csv, html, latest = folder / "findings.csv", folder / "report.html", folder / LATEST
    gathered = gather(warehouse, csv, as_of=as_of, organization_ids=organization_ids, days=days, top=top)
    page = render(gathered, run_id=run_id, rules=rules, days=days, csv_href=csv_name.rpartition("/")[2])
    html.write_text(page, encoding="utf-8")
    files = {csv_name: csv, html_name: html}
    is_newest = gathered.newest is None or as_of >= gathered.newest
    if is_newest and not organization_ids:
        latest.write_text(render(gathered, run_id=run_id, rules=rules, days=days, csv_href=csv_name), encoding="utf-8")
        files[LATEST] = latest
    return Report(files, csv_name, html_name, gathered.tally.findings, gathered.tally.at_risk, is_newest)


def file_names(as_of: datetime, run_id: str) -> tuple[str, str]:
    """Return the names of CSV and page, below the report's folder: the month, the moment, and a digest of moment and run."""
    as_of = as_of.astimezone(UTC)
    digest = hashlib.sha256(f"{as_of.isoformat()} {run_id}".encode()).hexdigest()[:8]
    stem = f"{as_of:%Y-%m}/findings-{as_of:%Y%m%dT%H%M%SZ}-{digest}"
    return f"{stem}.csv", f"{stem}.html"
