"""A managed Postgres: an owner without SUPERUSER and CREATEROLE can set the warehouse up; what it cannot close, `status` names."""

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import psycopg2
import psycopg2.errors
import pytest

from devstack.postgres import PostgresServer
from syrve.warehouse import database
from syrve.warehouse.__main__ import main
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.errors import WarehouseUnavailable
from syrve.warehouse.grants import LOADER, MissingRight, apply_grants, missing_rights, roles
from syrve.warehouse.migrate import migrate


@pytest.fixture(params=["newest", "oldest"])
def plain(request: pytest.FixtureRequest) -> Iterator[tuple[PostgresServer, str, str, str]]:
    """A server with the group roles, and a database of an owner who is nothing but its owner; also a login of the loader."""
    server = request.getfixturevalue({"newest": "postgres_server", "oldest": "old_postgres_server"}[request.param])
    owner, loader, name = (f"test_{word}_{uuid4().hex[:8]}" for word in ("owner", "loader", "plain"))
    with closing(psycopg2.connect(server.dsn("postgres"))) as admin, admin.cursor() as cursor:
        admin.autocommit = True
        for role in roles():
            cursor.execute(f"do $$ begin create role {role} nologin; exception when duplicate_object then null; end $$")
        cursor.execute(f"create role {owner} login nosuperuser nocreaterole nocreatedb noreplication")
        cursor.execute(f"create role {loader} login in role {LOADER}")
        cursor.execute(f"create database {name} owner {owner} encoding 'UTF8' template template0")
        try:
            yield server, name, owner, loader
        finally:
            cursor.execute(f"drop database {name} with (force)")
            cursor.execute(f"drop role {loader}")
            cursor.execute(f"drop role {owner}")


def dsn(server: PostgresServer, name: str, login: str) -> str:
    return server.dsn(name).replace("postgres@", f"{login}@")


def problems(text: str) -> list[MissingRight]:
    with Warehouse(url_from_text(text)).connect() as connection:
        return missing_rights(connection)


def test_plain_owner_sets_up_and_is_told_what_stays_open(
    plain: tuple[PostgresServer, str, str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server, name, owner, loader = plain
    migrate(url_from_text(dsn(server, name, owner)))

    open_now = [each.what for each in problems(dsn(server, name, owner))]

    assert open_now == [
        "every login may take advisory locks, and so keep the DAGs waiting",
        "every login may create large objects and write to the WAL",
    ]
    monkeypatch.setenv("SYRVE_WAREHOUSE_DSN", dsn(server, name, owner))
    main(["status"])
    assert "every login may take advisory locks" in capsys.readouterr().out
    with Warehouse(url_from_text(dsn(server, name, loader))).transaction("work") as cursor:
        cursor.execute("create temp table mine (a integer); select count(*) from sync.roster")


def test_plain_owner_cannot_close_the_locks_of_postgres(plain: tuple[PostgresServer, str, str, str]) -> None:
    server, name, owner, _ = plain
    functions = "function pg_advisory_lock(bigint), lo_create(oid)"
    with closing(psycopg2.connect(dsn(server, name, owner))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"revoke execute on {functions} from public")  # a warning, and nothing
        cursor.execute("select has_function_privilege('public', 'pg_advisory_lock(bigint)', 'execute')")
        assert cursor.fetchall() == [(True,)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("alter function pg_advisory_lock(bigint) owner to current_user")


def test_lock_of_a_stranger_ends_a_task_and_holds_no_dag_for_ever(
    plain: tuple[PostgresServer, str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, name, owner, loader = plain
    migrate(url_from_text(dsn(server, name, owner)))
    monkeypatch.setattr(database, "LOCK_WAIT_SECONDS", 1)
    ours = Warehouse(url_from_text(dsn(server, name, loader)))
    with closing(psycopg2.connect(dsn(server, name, owner))) as stranger, stranger.cursor() as held:
        held.execute("select pg_advisory_lock(hashtextextended('wallet.hold', 0))")

        with pytest.raises(WarehouseUnavailable, match="another session holds a lock"), ours.transaction("hold") as one:
            one.execute("select wallet.lock_holds(array[gen_random_uuid()])")


def test_superuser_closes_what_the_owner_cannot(plain: tuple[PostgresServer, str, str, str]) -> None:
    server, name, owner, loader = plain
    migrate(url_from_text(dsn(server, name, owner)))

    with Warehouse(url_from_text(server.dsn(name))).connect() as connection:
        given = apply_grants(connection)

    assert any(right.startswith("- execute on function pg_advisory_lock(bigint) to everybody") for right in given)
    assert problems(dsn(server, name, owner)) == []
    with closing(psycopg2.connect(dsn(server, name, loader))) as connection, connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(1)")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("select lo_create(0)")


def test_view_for_forms_without_a_barrier_is_named(plain: tuple[PostgresServer, str, str, str]) -> None:
    server, name, owner, _ = plain
    migrate(url_from_text(dsn(server, name, owner)))
    with closing(psycopg2.connect(dsn(server, name, owner))) as connection, connection, connection.cursor() as cursor:
        cursor.execute("create view source.closed with (security_barrier) as select 1 as a")
        cursor.execute("create view source.closed_too with (security_barrier = on) as select 1 as a")
        cursor.execute("create view source.opened with (security_barrier = off) as select 1 as a")
        cursor.execute('create view source."Open" as select 1 as a')

    named = [each for each in problems(dsn(server, name, owner)) if "rows that it leaves out" in each.what]

    assert [each.what.split()[7] for each in named] == ['source."Open"', "source.opened"]
    with closing(psycopg2.connect(dsn(server, name, owner))) as connection, connection, connection.cursor() as cursor:
        for each in named:
            cursor.execute(each.remedy.partition("runs: ")[2])
    assert not [each for each in problems(dsn(server, name, owner)) if "rows that it leaves out" in each.what]
