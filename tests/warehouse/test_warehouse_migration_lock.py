"""Several processes that migrate at once, and one that is killed in the middle."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg2
import pytest

from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.migrate import migrate, state

PATIENCE_SECONDS = 60
Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def start_migration(empty_database_dsn: str) -> Iterator[Start]:
    """Starts `python -m syrve.warehouse migrate` in a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "syrve.warehouse", "migrate"],
            env=os.environ | {"SYRVE_WAREHOUSE_DSN": empty_database_dsn},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def sessions_waiting_for_a_lock(dsn: str) -> int:
    query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        (count,) = cursor.fetchone() or (0,)
        return int(count)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def finished(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, output
    return output


@pytest.fixture
def held_up(empty_database_dsn: str) -> Iterator[psycopg2.extensions.connection]:
    """An open transaction that the first migration has to wait for, until it is rolled back."""
    with closing(psycopg2.connect(empty_database_dsn)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("create schema syrve")
        yield connection


def test_three_processes_at_once_apply_each_migration_once(
    start_migration: Start, held_up: psycopg2.extensions.connection, empty_database_dsn: str
) -> None:
    processes = [start_migration() for _ in range(3)]
    wait_until(lambda: sessions_waiting_for_a_lock(empty_database_dsn) == 3)

    held_up.rollback()

    outputs = [finished(process) for process in processes]
    names = state(url_from_text(empty_database_dsn)).applied
    told = sorted(line for output in outputs for line in output.splitlines())
    assert told == sorted(
        [*(f"applied  {name}" for name in names), *["nothing to do: the warehouse is up to date"] * 2]
    )
    assert state(url_from_text(empty_database_dsn)).pending == ()


def test_process_killed_in_the_middle_does_not_block_the_next(
    start_migration: Start, held_up: psycopg2.extensions.connection, empty_database_dsn: str
) -> None:
    killed = start_migration()
    wait_until(lambda: sessions_waiting_for_a_lock(empty_database_dsn) == 1)

    killed.kill()
    killed.wait()
    held_up.rollback()

    finished(start_migration())
    assert state(url_from_text(empty_database_dsn)).pending == ()


def test_lock_row_that_a_killed_process_left_behind_does_not_block_the_next(empty_database_dsn: str) -> None:
    with closing(psycopg2.connect(empty_database_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("create table yoyo_lock (locked integer primary key, ctime timestamp, pid integer not null)")
        cursor.execute("insert into yoyo_lock values (1, now(), 4194304)")

    migrate(url_from_text(empty_database_dsn))

    assert state(url_from_text(empty_database_dsn)).pending == ()
