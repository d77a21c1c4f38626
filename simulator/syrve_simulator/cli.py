"""The command line."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from syrve_simulator.application import Simulator
from syrve_simulator.faults import FaultPlan, FaultScriptError, read_script
from syrve_simulator.options import Options
from syrve_simulator.population.identity import MAX_CUSTOMERS
from syrve_simulator.server import is_loopback, run
from syrve_simulator.wire import DIALECTS

MAX_ORGANIZATIONS = 100
_DEFAULTS = Options()
_EPILOG = """
While it runs, /_control/ shows what was called and changes faults, switches and customers; docs/simulator.md has all of it.
Example: python -m syrve_simulator --port 8900 --customers 2000 --seed 7
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator until it is stopped; return 0, 1 when it could not listen, 2 when it was asked for something wrong."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    parser = _parser()
    settings, any_host = _settings(parser, arguments)
    if not is_loopback(settings.host):
        if not any_host:
            parser.error(
                f"{settings.host} is not a loopback address. The simulator has no security:"
                " it stays on this machine unless you add --insecure-any-host"
            )
        sys.stderr.write(f"Warning: listening on {settings.host}; everyone who reaches it can read and change it\n")
    simulator = Simulator(settings)
    if settings.faults_file is not None:
        try:
            rules = read_script(settings.faults_file.read_bytes(), simulator.operations)
        except (OSError, FaultScriptError) as error:
            parser.error(f"--faults {settings.faults_file}: {error}")
        simulator.faults = FaultPlan(settings.seed, rules)
    try:
        run(simulator)
    except OSError as error:
        sys.stderr.write(f"Cannot listen on {settings.host}:{settings.port}: {error}. --port 0 takes a free one\n")
        return 1
    return 0


def _settings(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> tuple[Options, bool]:
    values = vars(parser.parse_args(arguments))
    any_host = bool(values.pop("insecure_any_host"))
    return Options(**values), any_host


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m syrve_simulator",
        description="A Syrve Cloud that runs on this machine: for demos, tests and rehearsing outages.",
        epilog=_EPILOG,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    listening = parser.add_argument_group("listening")
    listening.add_argument("--host", default=_DEFAULTS.host, help="loopback address to listen on")
    listening.add_argument("--port", type=_whole(0, 65535), default=0, help="port to listen on; 0 takes a free one")
    listening.add_argument("--port-file", type=Path, help="file that gets the port number once it listens")
    listening.add_argument(
        "--insecure-any-host", action="store_true", help="allow a --host that other machines or containers can reach"
    )
    listening.add_argument(
        "--stop-with-stdin", dest="stops_with_stdin", action="store_true", help="stop when standard input ends"
    )
    service = parser.add_argument_group("the service")
    service.add_argument("--dialect", choices=sorted(DIALECTS), default=_DEFAULTS.dialect, help="shape of the API")
    service.add_argument("--customers", type=_whole(0, MAX_CUSTOMERS), default=_DEFAULTS.customers, help="how many")
    service.add_argument(
        "--organizations", type=_whole(1, MAX_ORGANIZATIONS), default=_DEFAULTS.organizations, help="how many"
    )
    service.add_argument("--seed", type=int, default=_DEFAULTS.seed, help="decides the population and chance faults")
    service.add_argument("--api-login", default=_DEFAULTS.api_login, help="the only api login that gets a token")
    service.add_argument("--api-key", default=_DEFAULTS.api_key, help="of the only application that gets a v2 token")
    service.add_argument("--app-id", default=_DEFAULTS.app_id, help="of that application")
    service.add_argument("--client-secret", default=_DEFAULTS.client_secret, help="of that application")
    service.add_argument(
        "--token-lifetime-seconds",
        type=_seconds,
        default=_DEFAULTS.token_lifetime_seconds,
        help="until a token expires",
    )
    rehearsing = parser.add_argument_group("rehearsing")
    rehearsing.add_argument("--faults", dest="faults_file", type=Path, help="fault script (JSON)")
    rehearsing.add_argument(
        "--latency-ms", type=_milliseconds, default=_DEFAULTS.latency_ms, help="delay of every answer"
    )
    rehearsing.add_argument(
        "--no-lookup-log", dest="lookup_log", action="store_false", help="do not count look-ups by identity"
    )
    rehearsing.add_argument(
        "--record-requests",
        action="store_true",
        help="keep the latest request bodies, to be read at /_control/requests",
    )
    return parser


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"must be {least} to {most}, not {number}")
        return number

    return read


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be above 0, not {text}")
    return number


def _milliseconds(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 60_000:
        raise argparse.ArgumentTypeError(f"must be 0 to 60000, not {text}")
    return number
