"""`make airflow`: Airflow's own command line on the stack that is up, in the environment of its components."""

import shlex
import subprocess
import sys

from devstack.errors import StackError
from devstack.stack import Stack


def airflow(stack: Stack, arguments: str) -> int:
    """Run `airflow <arguments>` and return its exit code; raises StackError if no stack is up."""
    try:
        words = shlex.split(arguments)
    except ValueError as error:
        raise StackError(f'ARGS cannot be read ({error}). Like this: make airflow ARGS="dags list"') from error
    if not words:
        raise StackError('Which command? Like this: make airflow ARGS="dags list"')
    state = stack.load()
    if state is None or not state.is_whole():
        raise StackError("No stack is up: `make up` starts one")
    command = [sys.executable, "-m", "airflow", *words]
    return subprocess.run(command, env=stack.environment_of(state), cwd=stack.paths.repository, check=False).returncode
