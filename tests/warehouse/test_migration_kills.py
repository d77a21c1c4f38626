"""A process that is killed at any step of a migration: the migration is applied and noted, or neither, and the next process goes on."""

import os
import subprocess
import sys

import pytest

from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.migrate import migrate, roll_back, state

KILLED = """
import os, runpy, signal, sys
from yoyo.backends.core.postgresql import PostgresqlBackend

name, moment, count, *sys.argv[1:] = sys.argv[1:]
original, calls = getattr(PostgresqlBackend, name), []

def killed(self, *args, **kwargs):
    calls.append(name)
    if moment == "before" and len(calls) == int(count):
        os.kill(os.getpid(), signal.SIGKILL)
    original(self, *args, **kwargs)
    if len(calls) == int(count):
        os.kill(os.getpid(), signal.SIGKILL)

setattr(PostgresqlBackend, name, killed)
runpy.run_module("syrve.warehouse", run_name="__main__")
"""


def run_killed(dsn: str, *arguments: str) -> None:
    """Run `python -m syrve.warehouse` until it is killed at the call of a method."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments],
        env=os.environ | {"SYRVE_WAREHOUSE_DSN": dsn},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, f"it was to be killed: {done.stdout} {done.stderr}"


@pytest.mark.parametrize(("step", "moment"), [("mark_one", "before"), ("commit", "after")])
def test_migrate_goes_on_after_a_kill_at_any_step(empty_database_dsn: str, step: str, moment: str) -> None:
    run_killed(empty_database_dsn, step, moment, "5", "migrate")
    url = url_from_text(empty_database_dsn)
    applied = state(url).applied

    assert migrate(url) == list(state(url).applied[len(applied) :])
    assert state(url).pending == ()


@pytest.mark.parametrize(("step", "moment"), [("unmark_one", "before"), ("commit", "after")])
def test_rollback_goes_on_after_a_kill_at_any_step(warehouse_dsn: str, step: str, moment: str) -> None:
    url = url_from_text(warehouse_dsn)
    names = state(url).applied
    run_killed(warehouse_dsn, step, moment, "2", "rollback", "--to", names[-5])

    roll_back(url, to=names[-5])
    assert state(url).applied == names[:-4]
    assert migrate(url) == list(names[-4:])
