"""What the stack's Postgres image runs when it makes the warehouse, on a server of its own; then what `init` does with it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import ModuleType
from typing import Any

import psycopg2
import psycopg2.errors
import pytest

from compose.stack_files import StackFiles
from devstack.postgres import PostgresServer
from fixtures.postgres import running_server

OWNER = "syrve_owner"


@pytest.fixture(scope="module")
def made() -> Iterator[PostgresServer]:
    """A server on which the image's script has run, and then the migrations as the owner."""
    with running_server(PostgresServer) as server:
        server.create_database("warehouse")
        entrypoint = StackFiles.read().services["warehouse-db"]["entrypoint"][-1]
        script = re.search(r"<<'SQL'\n(.*?)\nSQL\n", entrypoint, re.DOTALL)
        assert script is not None
        run(
            [str(server.binaries / "psql"), "--no-psqlrc", "--quiet", server.dsn("warehouse")],
            {"WAREHOUSE_OWNER_PASSWORD": "canary-owner"},
            script[1].replace("$$", "$"),
        )
        run([sys.executable, "-m", "syrve.warehouse", "migrate"], {"SYRVE_WAREHOUSE_DSN": as_owner(server)})
        yield server


def run(command: list[str], environment: dict[str, str], standard_input: str = "") -> str:
    done = subprocess.run(
        command, env=os.environ | environment, input=standard_input, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_owner(server: PostgresServer) -> str:
    return server.dsn("warehouse").replace("postgres@", f"{OWNER}@")


def execute(dsn: str, statement: str) -> list[Any]:
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def execute_outside_transaction(dsn: str, statement: str) -> None:
    connection = psycopg2.connect(dsn)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def test_owner_is_no_superuser_and_owns_all(made: PostgresServer) -> None:
    attributes = "rolsuper, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin"

    assert execute(made.dsn("warehouse"), f"select {attributes} from pg_roles where rolname = '{OWNER}'") == [
        (False, False, False, False, True)
    ]
    owners = "select distinct relowner::regrole::text from pg_class where relnamespace = 'wallet'::regnamespace"
    assert execute(made.dsn("warehouse"), owners) == [(OWNER,)]


def test_status_finds_nothing_missing(made: PostgresServer) -> None:
    told = run([sys.executable, "-m", "syrve.warehouse", "status"], {"SYRVE_WAREHOUSE_DSN": as_owner(made)})

    assert "missing" not in told
    assert "pending  " not in told


def test_init_makes_and_renews_the_loader_as_the_owner(made: PostgresServer, init: ModuleType) -> None:
    for password in ("canary-loader", "canary-loader-2"):
        init.ensure_loader_login(as_owner(made), password)

    loader = as_owner(made).replace(OWNER, init.LOADER_LOGIN)
    assert execute(loader, "select count(*), pg_try_advisory_xact_lock(1) from sync.roster") == [(0, True)]
    execute(loader, "create temporary table staging_of_mine (a integer)")


@pytest.mark.parametrize(
    "statement",
    [
        "copy (select 1) to program 'id'",
        "select pg_read_file('/etc/passwd')",
        "alter role current_user superuser",
        "grant pg_execute_server_program to current_user",
        "select rolpassword from pg_authid",
    ],
)
def test_owner_runs_no_command_and_reads_no_file(made: PostgresServer, statement: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        execute(as_owner(made), statement)


def test_postgres_takes_every_shipped_setting(made: PostgresServer) -> None:
    entrypoint = StackFiles.read().services["warehouse-db"]["entrypoint"][-1]
    shipped = dict(re.findall(r"-c (\w+)=\"?(?:\$\{\w+:-)?(\w+)", entrypoint))
    assert {"shared_buffers", "checkpoint_timeout", "max_wal_size", "wal_compression"} < set(shipped)

    # The embedded server is built without lz4; the images of the stack have it.
    assert shipped.pop("wal_compression") == "lz4"
    for name, value in shipped.items():
        # Kept in a file and not applied: the server checks names and values all the same.
        execute_outside_transaction(made.dsn("warehouse"), f"alter system set {name} = '{value}'")
    execute_outside_transaction(made.dsn("warehouse"), "alter system reset all")
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        execute_outside_transaction(made.dsn("warehouse"), "alter system set max_wal_size = '8 loads'")


def test_superuser_has_no_password(made: PostgresServer) -> None:
    assert execute(made.dsn("warehouse"), "select rolpassword from pg_authid where rolsuper") == [(None,)]


def test_log_of_the_warehouse_holds_no_values(made: PostgresServer) -> None:
    entrypoint = StackFiles.read().services["warehouse-db"]["entrypoint"][-1]
    (shipped,) = re.findall(r"set -- (-c log_min_error_statement.*)", entrypoint)

    for options, is_logged in (
        ("-c log_min_error_statement=error -c log_error_verbosity=default", True),
        (shipped, False),
    ):
        phone = "+79990007788" if is_logged else "+79990007799"
        connection = psycopg2.connect(made.dsn("warehouse"), options=options)
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "create temporary table one (phone text primary key); insert into one values (%s)", (phone,)
                )
                for _ in range(2):
                    with suppress(psycopg2.errors.UniqueViolation, psycopg2.errors.InFailedSqlTransaction):
                        cursor.execute("insert into one values (%s)", (phone,))
        finally:
            connection.close()

        assert (phone in made.log.read_text()) == is_logged
