"""A backup is restored on a server that has never seen the project: data, roles and rights, by the documented commands."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from devstack.postgres import PostgresServer, installed_binaries
from fixtures.postgres import running_server

DATABASE = "warehouse"


@pytest.fixture
def second_server() -> Iterator[PostgresServer]:
    with running_server(PostgresServer) as server:
        yield server


def warehouse_command(server: PostgresServer, command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SYRVE_WAREHOUSE_DSN": server.dsn(DATABASE)}
    return subprocess.run(
        [sys.executable, "-m", "syrve.warehouse", command], env=environment, capture_output=True, text=True, check=False
    )


def run(program: str, *arguments: str) -> None:
    subprocess.run([installed_binaries() / program, *arguments], check=True, capture_output=True)


def rows(server: PostgresServer, query: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(server.dsn(DATABASE))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()
    finally:
        connection.close()


RIGHTS = """
    select relation.oid::regclass::text, granted.grantee::regrole::text, granted.privilege_type
    from pg_class as relation
    cross join aclexplode(relation.relacl) as granted
    where granted.grantee <> 0 and granted.grantee <> relation.relowner
        and relation.relnamespace::regnamespace::text !~ '^(pg_|information)'
    order by 1, 2, 3
"""


def test_backup_is_restored_on_a_new_server(
    postgres_server: PostgresServer, warehouse_dsn: str, second_server: PostgresServer, tmp_path: Path
) -> None:
    dump = str(tmp_path / "warehouse.dump")
    first = psycopg2.connect(warehouse_dsn)
    with first, first.cursor() as cursor:
        cursor.execute(
            "insert into sync.refresh_policy (organization_id) values (gen_random_uuid()) returning organization_id"
        )
        kept = cursor.fetchall()
        cursor.execute(RIGHTS)
        rights = cursor.fetchall()
    first.close()
    run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={dump}", warehouse_dsn)

    second_server.create_database(DATABASE)
    run(
        "pg_restore",
        "--no-owner",
        "--no-privileges",
        "--exit-on-error",
        f"--dbname={second_server.dsn(DATABASE)}",
        dump,
    )
    granted = warehouse_command(second_server, "migrate")
    status = warehouse_command(second_server, "status")

    assert (granted.returncode, status.returncode) == (0, 0), granted.stderr + status.stdout
    assert rows(second_server, "select organization_id from sync.refresh_policy") == kept
    assert rows(second_server, RIGHTS) == rights
