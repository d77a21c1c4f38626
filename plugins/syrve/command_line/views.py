"""How things stand: figures, plans, findings and rejects. No personal value is in any of them."""

from __future__ import annotations

from syrve.command_line.reading import reading
from syrve.command_line.report import ATTENTION, FINE, Report, Row, Table
from syrve.warehouse.database import Warehouse

MOST_COUNTED = 10_000
MOST_GROUPED = 20_000
MOST_ROWS = 200
_FIGURES = (
    ("overdue", "look-ups that are overdue"),
    ("rejects", "open rejects"),
    ("approvals", "questions that wait for an answer"),
    ("conflicts", "conflicts that wait for a decision"),
    ("breakers", "changes held back"),
    ("blocked", "blocked rows of the CRM"),
    ("findings", "open findings"),
    ("grave", "of these critical or high"),
    ("at_risk", "money at risk"),
    ("holds", "open holds"),
    ("held", "money held"),
    ("last_call_at", "last call to Syrve"),
)
_WAITING = ("approvals", "conflicts", "breakers", "blocked", "grave")
"""What makes `status` end with `ATTENTION`."""


def status(warehouse: Warehouse) -> Report:
    """Report the figures, the newest runs and how fresh the mirror is; counting stops at 10,000."""
    with reading(warehouse, "read the status") as read:
        (figures,) = read.rows("overview", most_counted=MOST_COUNTED)
        unsettled = read.rows("waiting_unsettled", most=MOST_ROWS)
        fresh, runs = read.rows("freshness"), read.rows("runs")[:12]
    figures["unsettled"] = len(unsettled)
    figure_rows = [
        {"figure": name, "now": figures[key]} for key, name in (*_FIGURES, ("unsettled", "money without outcome"))
    ]
    waits = any(figures[name] for name in (*_WAITING, "unsettled"))
    return Report(
        {"figures": figures, "freshness": fresh, "runs": runs},
        [
            Table("Now", (("figure", ""), ("now", "")), figure_rows),
            Table(
                "Freshness",
                (
                    ("organization_name", "organization"),
                    ("identities", "identities"),
                    ("found", "found"),
                    ("overdue", "overdue"),
                    ("expected_mean_delay", "mean delay"),
                    ("promised_max_age", "promised age"),
                    ("keeps_max_age", "kept"),
                ),
                fresh,
                "not counted yet: run syrve_customers once",
            ),
            Table(
                "Newest runs",
                (
                    ("dag_id", "DAG"),
                    ("ended_at", "ended"),
                    ("requested", "looked up"),
                    ("changed", "changed"),
                    ("not_found", "not found"),
                    ("rejected", "rejected"),
                    ("failed", "failed"),
                ),
                runs,
            ),
        ],
        ATTENTION if waits else FINE,
    )


def plan(warehouse: Warehouse, plan_id: int | None) -> Report:
    """Report the newest plans of pushes and the rows of one: field names, state and reason, and no value."""
    with reading(warehouse, "read the plans") as read:
        plans = read.rows("plans")
        shown = plan_id if plan_id is not None else (plans[0]["plan_id"] if plans else None)
        rows = read.rows("plan_rows", plan_id=shown, state=None, most=MOST_ROWS) if shown is not None else []
    for row in rows:
        row["fields"] = ", ".join(sorted(_field(name) for name in row.pop("changes")))
    waits = any(row["state"] in ("failed", "refused") for row in rows)
    return Report(
        {"plans": plans, "plan_id": shown, "rows": rows},
        [
            Table(
                "Newest plans",
                (
                    ("plan_id", "plan"),
                    ("planned_at", "planned"),
                    ("is_dry_run", "preview"),
                    ("customers", "customers"),
                    ("conflicts", "conflicts"),
                    ("refused", "refused"),
                    ("waiting", "waiting"),
                    ("held_back", "held back"),
                ),
                plans[:10],
                "none yet: run syrve_crm_push",
            ),
            Table(
                f"Plan {shown}: the first {MOST_ROWS} rows" if shown is not None else "Rows",
                (
                    ("crm_id", "crm_id"),
                    ("organization_name", "organization"),
                    ("action", "action"),
                    ("fields", "fields"),
                    ("state", "state"),
                    ("reason", "reason"),
                ),
                rows,
            ),
        ],
        ATTENTION if waits else FINE,
    )


def findings(warehouse: Warehouse) -> Report:
    """Report the open findings, the gravest and oldest first."""
    with reading(warehouse, "read the findings") as read:
        found = read.rows("findings", most=MOST_ROWS)
    columns = (
        ("finding_id", "finding"),
        ("rule", "rule"),
        ("severity", "severity"),
        ("status", "status"),
        ("amount_at_risk", "at risk"),
        ("first_seen_at", "first seen"),
        ("organization_name", "organization"),
    )
    for each in found:
        del each["subject"]  # a custom rule may put anything there
    table = Table(f"Open findings, at most {MOST_ROWS}", columns, found)
    return Report({"findings": found}, [table], ATTENTION if found else FINE)


def rejects(warehouse: Warehouse) -> Report:
    """Report the open rejects by reason, counted over the newest 20,000."""
    with reading(warehouse, "read the rejects") as read:
        groups: list[Row] = read.rows("rejects_by_reason", most=MOST_GROUPED)
    for group in groups:
        group["occurrences"] = int(group["occurrences"])
    columns = (
        ("rejects", "rejects"),
        ("occurrences", "times"),
        ("entity", "what"),
        ("stage", "stage"),
        ("reason", "reason"),
        ("last_seen_at", "last"),
    )
    return Report(
        {"reasons": groups}, [Table("Open rejects by reason", columns, groups)], ATTENTION if groups else FINE
    )


def _field(name: str) -> str:
    """Leave the number of a card out."""
    kind = name.partition(":")[0]
    return kind if kind == "card" else name
