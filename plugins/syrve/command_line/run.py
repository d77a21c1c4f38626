"""The arguments of the commands, and how each is carried out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from uuid import UUID

from sqlalchemy.engine import URL

from syrve.command_line.explain import explain
from syrve.command_line.report import FAILED, Report
from syrve.command_line.views import findings, plan, rejects, status
from syrve.errors import SyrveProviderError
from syrve.warehouse.database import Warehouse


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands."""
    commands.add_parser("status", help="the figures of the page's overview, and the newest runs")
    plans = commands.add_parser("plan", help="the newest plans of pushes, and the rows of one; no value is shown")
    plans.add_argument("--plan", metavar="ID", type=int, help="a plan; the newest if left out")
    commands.add_parser("findings", help="the open findings")
    story = commands.add_parser("explain", help="the story of a finding, an operation of the ledger or a customer")
    story.add_argument("id", type=UUID, help="its id")
    commands.add_parser("rejects", help="the open rejects by reason")
    one = commands.add_parser("pull", help="look one customer up at Syrve now; needs AIRFLOW_CONN_SYRVE_DEFAULT")
    one.add_argument("--phone", action="store_true", required=True, help="by a phone, which standard input gives")
    one.add_argument("--organization", metavar="ID", action="append", default=[], help="there only; may be repeated")
    for name, command in commands.choices.items():
        if name != "freshness":
            command.add_argument("--json", action="store_true", help="one JSON object")


def run_command(options: argparse.Namespace, url: Callable[[], URL]) -> int:
    """Carry a command out, print its answer and return the exit code."""
    try:
        report = _report(options, Warehouse(url(), checks_layout=True))
    except SyrveProviderError as error:
        print(error, file=sys.stderr)
        return FAILED
    print(report.as_json() if options.json else report.as_text())
    return report.code


def _report(options: argparse.Namespace, warehouse: Warehouse) -> Report:
    match options.command:
        case "status":
            return status(warehouse)
        case "plan":
            return plan(warehouse, options.plan)
        case "findings":
            return findings(warehouse)
        case "explain":
            return explain(warehouse, options.id)
        case "rejects":
            return rejects(warehouse)
    # Imported where it is needed: it brings Airflow, whose import takes seconds.
    from airflow.sdk.exceptions import AirflowNotFoundException

    from syrve.command_line.pull import pull_phone
    from syrve.hooks.syrve import SyrveHook
    from syrve.sources.errors import UnusableSource

    try:
        return pull_phone(warehouse, options.organization)
    except AirflowNotFoundException:
        raise UnusableSource(
            f"there is no connection {SyrveHook.default_conn_name}: set AIRFLOW_CONN_SYRVE_DEFAULT"
        ) from None
