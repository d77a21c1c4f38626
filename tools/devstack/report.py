"""The tables at the end of the demo, and the line that shows how far a run is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from devstack.airflow_api import TaskState
from devstack.counts import COUNTED, RunCounts
from devstack.desired_states import DesiredStateOutcome
from devstack.site import FindingRow
from devstack.visits import Visits


@dataclass(frozen=True)
class RunReport:
    """A run under the name that the reader knows it by."""

    title: str
    counts: RunCounts


def landed_table(columns: Mapping[str, Mapping[str, int]]) -> Table:
    """Return the rows per table, one column for each moment that was counted."""
    table = Table(title="Rows in the warehouse", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("table")
    for moment in columns:
        table.add_column(moment, justify="right")
    for name in next(iter(columns.values())):
        table.add_row(name, *(f"{counts[name]:,}" for counts in columns.values()))
    return table


def runs_table(runs: Sequence[RunReport]) -> Table:
    """Return what each run did, one column a run: four of them fit into a terminal of 80 columns."""
    table = Table(title="What each run did", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    for run in runs:
        table.add_column(run.title, justify="right")
    for name in COUNTED:
        table.add_row(name.replace("_", " "), *(_number(run.counts, name) for run in runs))
    return table


def push_table(outcomes: Sequence[DesiredStateOutcome]) -> Table:
    """Return the CRM's desired states, what the push planned, and the outcome; no values."""
    table = Table(title="What the CRM wants, and the outcome", box=box.SIMPLE_HEAD, title_justify="left")
    for heading in ("desired state", "planned", "fields", "outcome", "conflict: who wins"):
        table.add_column(heading)
    for outcome in outcomes:
        table.add_row(outcome.desired.title, *outcome.result)
    return table


def findings_table(flagged: Sequence[FindingRow], now: Sequence[FindingRow]) -> Table:
    """Return what reconciliation flagged, and what became of it."""
    table = Table(title="What was flagged and what became of it", box=box.SIMPLE_HEAD, title_justify="left")
    for heading in ("rule", "severity", "flagged as", "now"):
        table.add_column(heading)
    table.add_column("at risk", justify="right")
    statuses = {each.rule: each.status for each in now}
    for each in flagged:
        table.add_row(each.rule, each.severity, each.status, statuses.get(each.rule, ""), f"{each.amount_at_risk:,.2f}")
    return table


def visits_table(visits: Visits) -> Table:
    """Return how long the guests who came by an order waited for their row."""
    table = Table(title="From an order to the guest's row", box=box.SIMPLE_HEAD, title_justify="left")
    for heading in ("unknown guests", "in the mirror", "median", "longest"):
        table.add_column(heading, justify="right")
    median, longest = visits.seconds()
    count = len(visits.visits)
    table.add_row(str(count), str(count), f"{median:.1f} s", f"{longest:.1f} s")
    return table


def progress_line(dag_id: str, tasks: Sequence[TaskState], counts: RunCounts) -> str:
    """Return how far a run is: its tasks by state, and the records so far."""
    states: dict[str, Counter[str]] = {}
    for task in tasks:
        states.setdefault(task.task_id, Counter())[task.state or "waiting"] += 1
    parts = [f"{task_id} {_states(found)}" for task_id, found in states.items()]
    if counts.requested:
        parts.append(f"so far: {counts.found:,} found, {counts.not_found:,} not found, {counts.rejected:,} rejected")
    return f"{dag_id}: {' | '.join(parts)}"


def _states(found: Counter[str]) -> str:
    if found.total() == 1:
        return next(iter(found))
    return ", ".join(f"{count} {state}" for state, count in sorted(found.items()))


def _number(counts: RunCounts, name: str) -> str:
    value = getattr(counts, name)
    return f"{value:.1f}" if name == "seconds" else f"{value:,}"
