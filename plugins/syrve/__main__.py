"""`python -m syrve`: questions to the warehouse of `SYRVE_WAREHOUSE_DSN`, answered as a table or, with --json, for programs.

It ends with 0 where all is well, 1 where it could not answer, 2 after a wrong argument, 3 where something waits for a person.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from typing import Any

from syrve.command_line.run import add_commands, run_command
from syrve.customers.pull_settings import PullSettings
from syrve.customers.refit import read_accounts
from syrve.customers.what_if import outlooks
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_environment
from syrve.warehouse.errors import WarehouseError

DSN_VARIABLES = ("SYRVE_WAREHOUSE_DSN", "AIRFLOW_CONN_SYRVE_WAREHOUSE")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m syrve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add_commands(commands)
    freshness = commands.add_parser("freshness", help="what a budget of customer calls buys")
    freshness.add_argument("--what-if", metavar="N,N,...", type=_budgets, default=[], help="budgets, calls per minute")
    freshness.add_argument("--json", action="store_true", help="one JSON object")
    given = sys.argv[1:] if arguments is None else arguments
    behind = [each for each in given if each.startswith("--phone=")]
    options, unknown = parser.parse_known_args([each for each in given if each not in behind])
    if unknown or behind:
        # Not repeated: it may be a phone that was typed after --phone.
        parser.error(
            f"{len(unknown) + len(behind)} unknown argument(s); a phone is asked for, or read from standard input"
        )
    if options.command != "freshness":
        return run_command(options, _url)
    try:
        with Warehouse(_url(), checks_layout=True).transaction("read the freshness") as cursor:
            accounts = read_accounts(cursor, PullSettings(), take_evidence=False)
    except WarehouseError as error:
        print(error, file=sys.stderr)
        return 1
    forecasts = [outlooks(account, options.what_if) for account in accounts.values()]
    print(json.dumps({"accounts": forecasts}, indent=2) if options.json else _table(forecasts))
    return 0


def _table(forecasts: Sequence[dict[str, Any]]) -> str:
    if not forecasts:
        return "no organization with a budget yet: run syrve_customers once"
    lines = []
    for account in forecasts:
        lines.append(f"{account['identities']:,} identities in {account['organizations']} organization(s)")
        lines.append(f"  {'calls/minute':>12} {'mean delay':>12} {'mean age':>12} {'longest':>12}  maximum age")
        for row in account["budgets"]:
            times = " ".join(
                f"{_time(row[name]):>12}" for name in ("mean_delay_days", "mean_age_days", "longest_interval_days")
            )
            kept = "kept" if row["keeps_max_age"] else "not kept"
            mark = "  (now)" if row["is_present"] else ""
            lines.append(f"  {row['calls_per_minute']:>12,g} {times}  {kept}{mark}")
        least = math.ceil(account["least_calls_per_minute_for_max_age"])
        lines.append(f"  smallest budget that keeps the promised maximum age: {least:,} calls per minute")
    return "\n".join(lines)


def _time(days: float) -> str:
    if days < 1 / 12:
        return f"{1440 * days:.0f} min"
    return f"{24 * days:.1f} h" if days < 2 else f"{days:.1f} d"


def _budgets(text: str) -> list[float]:
    try:
        found = [float(each) for each in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError("budgets are numbers with commas between, such as 50,100,200") from None
    if not all(0 < each < math.inf for each in found):
        raise argparse.ArgumentTypeError("a budget must be above 0")
    return found


def _url() -> Any:
    return url_from_environment(*DSN_VARIABLES, login="a reader of it")


if __name__ == "__main__":
    sys.exit(main())
