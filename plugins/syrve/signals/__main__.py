"""`python -m syrve.signals`: run the receiver of webhooks beside Airflow, and make or retire the secrets of its senders."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from uuid import UUID

from syrve.signals.secret_book import USES, Use, add_secret, retire_secrets
from syrve.signals.secrets import MAX_SECRET_LENGTH, MIN_SECRET_LENGTH, is_sendable, new_secret
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_environment
from syrve.warehouse.errors import WarehouseError

DSN_VARIABLES = ("SYRVE_SIGNALS_DSN", "SYRVE_WAREHOUSE_DSN", "AIRFLOW_CONN_SYRVE_WAREHOUSE")
REGION_VARIABLE = "SYRVE_SIGNALS_REGION"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        url = url_from_environment(*DSN_VARIABLES, login="syrve_receiver")
        warehouse = Warehouse(url, application_name="syrve signals", checks_layout=True)
        if options.command == "serve":
            return _serve(warehouse, options)
        if options.command == "secret":
            return _secret(warehouse, str(options.organization), used_for=options.used_for, from_stdin=options.stdin)
        retired = retire_secrets(
            warehouse, str(options.organization), used_for=options.used_for, in_seconds=options.in_seconds
        )
        print(f"{retired} secret(s) are refused from then on")
    except WarehouseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m syrve.signals", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="receive webhooks until stopped")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    serve.add_argument("--port", type=int, default=8090, help="port to listen on (default: 8090)")
    secret = commands.add_parser("secret", help="make a secret for an organization and print it once")
    secret.add_argument("organization", type=UUID, help="id of the organization")
    secret.add_argument("--stdin", action="store_true", help="take the secret from standard input instead")
    retire = commands.add_parser("retire", help="refuse the secrets of an organization for one use, but for the newest")
    retire.add_argument("organization", type=UUID, help="id of the organization")
    retire.add_argument("--in-seconds", type=int, default=0, help="how long they stay good (default: 0)")
    for command in (secret, retire):
        command.add_argument(
            "--for",
            dest="used_for",
            choices=USES,
            default=USES[0],
            help="what has the secret: webhooks of orders (default), or notifications of balances",
        )
    return parser


def _serve(warehouse: Warehouse, options: argparse.Namespace) -> int:
    from syrve.signals.serve import serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    serve(warehouse, host=options.host, port=options.port, region=os.environ.get(REGION_VARIABLE) or "RU")
    return 0


def _secret(warehouse: Warehouse, organization_id: str, *, used_for: Use, from_stdin: bool) -> int:
    secret = sys.stdin.readline().strip() if from_stdin else new_secret()
    if len(secret) < MIN_SECRET_LENGTH:
        print(f"a secret has at least {MIN_SECRET_LENGTH} characters; without --stdin one is made", file=sys.stderr)
        return 2
    if not is_sendable(secret):
        print(
            f"a secret has at most {MAX_SECRET_LENGTH} characters, and none but those that every sender can send: "
            "letters of English, digits and signs, no space",
            file=sys.stderr,
        )
        return 2
    add_secret(warehouse, organization_id, secret, used_for=used_for)
    if not from_stdin:
        print(secret)
    return 0


if __name__ == "__main__":
    sys.exit(main())
