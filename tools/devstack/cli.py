"""The command line: `python -m devstack demo|up|down|run|airflow|status|clean`."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from devstack.airflow_cli import airflow
from devstack.console import Teller
from devstack.demo import demo
from devstack.environments import StackPaths
from devstack.errors import StackError
from devstack.lifecycle import clean, down, status, up
from devstack.run import run
from devstack.seed import seed
from devstack.signals import Interrupted, raise_on_interruption
from devstack.stack import Stack

REPOSITORY = Path(__file__).resolve().parents[2]
# What a shell reports for a command that a signal ended.
SIGNAL_EXIT_BASE = 128


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    teller = Teller()
    # Keys, passwords and personal data end up below: no other user may read them.
    os.umask(0o077)
    raise_on_interruption()
    try:
        return _dispatch(options, teller)
    except StackError as error:
        teller.failed(error)
        return 1
    except PermissionError as error:
        teller.failed(StackError(f"{error.filename} is not ours: did another user start the stack?"))
        return 1
    except Interrupted as interruption:
        teller.say("interrupted: what this command started has been stopped")
        return SIGNAL_EXIT_BASE + interruption.number


def _dispatch(options: argparse.Namespace, teller: Teller) -> int:
    def stack(name: str) -> Stack:
        paths = StackPaths(REPOSITORY, options.stack_directory.absolute() / name, options.dags.absolute())
        return Stack(paths, os.environ, teller.say)

    match options.command:
        case "demo":
            return demo(stack("demo"), teller)
        case "up":
            code = up(stack("up"), teller)
            return seed(stack("up"), teller) if options.seed and code == 0 else code
        case "airflow":
            return airflow(stack("up"), options.arguments)
        case "run":
            return run(stack("up"), teller, options.dag, options.conf)
    command = {"down": down, "status": status, "clean": clean}[options.command]
    return command([stack("up"), stack("demo")], teller)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="devstack", description=__doc__)
    parser.add_argument(
        "--stack-directory", type=Path, default=REPOSITORY / ".stack", help="where stacks keep their data"
    )
    parser.add_argument("--dags", type=Path, default=REPOSITORY / "dags", help="the folder of the DAGs")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help="run the main job end to end on a simulator, then stop everything")
    lasting = commands.add_parser(
        "up", help="start Postgres, the simulator and Airflow with its UI, and leave them running"
    )
    lasting.add_argument("--seed", action="store_true", help="put the simulator's customers into the warehouse")
    commands.add_parser("down", help="stop what `up` started")
    commands.add_parser("status", help="say what is up")
    commands.add_parser("clean", help="stop everything and delete its data")
    any_command = commands.add_parser("airflow", help="run Airflow's own command line on the stack that is up")
    any_command.add_argument("arguments", help='as a shell would read them, such as "dags list"')
    one = commands.add_parser("run", help="run one DAG once through the scheduler")
    one.add_argument("--dag", required=True, help="its id")
    one.add_argument("--conf", default="{}", help="the run's configuration, a JSON object")
    return parser
