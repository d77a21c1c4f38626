"""`python -m syrve.warehouse`: apply, take back or list the migrations of the warehouse, and the rights of its roles."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sqlalchemy.engine import URL

from syrve.warehouse.database import Warehouse
from syrve.warehouse.dictionary import dbt_sources, markdown, read_relations
from syrve.warehouse.dsn import url_from_environment
from syrve.warehouse.errors import WarehouseError
from syrve.warehouse.grants import MissingRight
from syrve.warehouse.layout import refuse_newer
from syrve.warehouse.migrate import grant, migrate, missing, roll_back, state

DSN_VARIABLES = ("SYRVE_WAREHOUSE_DSN", "AIRFLOW_CONN_SYRVE_WAREHOUSE")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m syrve.warehouse", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="apply every pending migration, and grants")
    commands.add_parser("grants", help="make the rights of all roles what sql/grants states")
    back = commands.add_parser("rollback", help="take migrations back; refuses where rows would go with their tables")
    target = back.add_mutually_exclusive_group(required=True)
    target.add_argument("--to", metavar="ID", help="the migration to stop at; it stays applied")
    target.add_argument("--all", action="store_true", help="every migration")
    back.add_argument("--lose-data", action="store_true", help="drop tables that have rows, too")
    commands.add_parser("status", help="list applied and pending migrations, and what the rights of the roles lack")
    commands.add_parser("dictionary", help="print docs/dictionary.md from the catalogue")
    commands.add_parser("dbt-sources", help="print docs/dbt/sources.yml from the catalogue")
    options = parser.parse_args(arguments)
    try:
        return _run(options, url_from_environment(*DSN_VARIABLES, login="its owner"))
    except WarehouseError as error:
        print(error, file=sys.stderr)
        return 1


def _run(options: argparse.Namespace, url: URL) -> int:
    if options.command == "grants":
        _tell("changed", grant(url), nothing="nothing to do: every right is as stated")
        lacking = missing(url)
        _report_missing(lacking)
        return int(any(right.is_needed for right in lacking))
    if options.command in ("dictionary", "dbt-sources"):
        with Warehouse(url).transaction("read the catalogue") as cursor:
            relations = read_relations(cursor)
        sys.stdout.write(markdown(relations) if options.command == "dictionary" else dbt_sources(relations))
        return 0
    if options.command == "migrate":
        _tell("applied", migrate(url), nothing="nothing to do: the warehouse is up to date")
    elif options.command == "rollback":
        undone = roll_back(url, to=options.to, loses_data=options.lose_data)
        _tell("taken back", undone, nothing="nothing to take back")
    else:
        return _report_state(url)
    return 0


def _report_state(url: URL) -> int:
    found = state(url)
    _tell("applied", found.applied, nothing="no migration is applied")
    _tell("pending", found.pending, nothing="none is pending")
    if found.unknown:
        _tell("unknown", found.unknown, nothing="")
        refuse_newer("status", found.unknown)
    _report_missing(missing(url))
    return 0


def _report_missing(rights: Sequence[MissingRight]) -> None:
    if rights:
        print("\n".join(f"missing  {right}" for right in rights))


def _tell(what: str, names: Sequence[str], *, nothing: str) -> None:
    print("\n".join(f"{what}  {name}" for name in names) if names else nothing)


if __name__ == "__main__":
    sys.exit(main())
