"""The embedded server: private, quiet, and at home in awkward places."""

import json
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import psycopg2
import pytest

from devstack.accounts import is_open_to_others, private_directory, server_account
from devstack.errors import StackError
from devstack.postgres import PostgresServer, identity_map, is_usable_for_socket, server_settings
from devstack.processes import Command, ProcessRecord, spawn
from fixtures.postgres import end_abandoned_servers


@contextmanager
def connected(dsn: str) -> Iterator[psycopg2.extensions.cursor]:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        yield connection.cursor()
    finally:
        connection.close()


def one(dsn: str, query: str) -> object:
    with connected(dsn) as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
        assert row is not None
        return row[0]


def test_it_listens_on_no_network_address(postgres_server: PostgresServer) -> None:
    assert one(postgres_server.dsn("postgres"), "show listen_addresses") == ""


def test_only_the_server_user_may_enter_the_directory_of_its_socket_and_data(postgres_server: PostgresServer) -> None:
    for directory in (postgres_server.socket_directory, postgres_server.data):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_other_users_of_the_machine_are_refused_by_name(postgres_server: PostgresServer) -> None:
    rules = [line for line in (postgres_server.data / "pg_hba.conf").read_text().splitlines() if line.strip()]
    assert rules == ["local all all peer map=devstack"]
    expected = {pwd.getpwuid(os.geteuid()).pw_name}
    if account := server_account():
        expected.add(account.name)
    assert (postgres_server.data / "pg_ident.conf").read_text() == identity_map(sorted(expected))


def test_it_knows_cyrillic_letters_whatever_locales_the_machine_has(empty_database_dsn: str) -> None:
    assert one(empty_database_dsn, "select lower('ЖЁЛУДЬ')") == "жёлудь"


def test_values_of_a_failed_statement_stay_out_of_its_log(
    postgres_server: PostgresServer, empty_database_dsn: str
) -> None:
    with connected(empty_database_dsn) as cursor:
        cursor.execute("create table guest (phone text primary key)")
        cursor.execute("insert into guest values ('+79751112233')")
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.execute("insert into guest values ('+79751112233')")
    log = postgres_server.log.read_text()
    assert "duplicate key" in log
    assert "9751112233" not in log


def test_a_port_in_the_callers_environment_does_not_lead_elsewhere(
    empty_database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    assert one(empty_database_dsn, "select 1") == 1


def test_every_test_gets_a_migrated_database_of_its_own(postgres_server: PostgresServer, warehouse_dsn: str) -> None:
    assert one(warehouse_dsn, "select count(*) from syrve.customer") == 0
    name = one(warehouse_dsn, "select current_database()")
    assert isinstance(name, str)
    assert postgres_server.has_database(name)
    assert name != "warehouse_template"


def test_what_is_known_of_a_database_travels_with_it(postgres_server: PostgresServer) -> None:
    postgres_server.create_database("noted")
    try:
        assert postgres_server.comment_of("noted") is None
        postgres_server.comment_on("noted", "it's noted")
        assert postgres_server.comment_of("noted") == "it's noted"
    finally:
        postgres_server.drop_database("noted")
    assert postgres_server.comment_of("noted") is None


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server with a home too deep for a socket, and below a directory that only its owner enters."""
    home = tmp_path.joinpath(*["a-directory-with-a-long-name"] * 4)
    server = PostgresServer(home, tmp_path / "postgres.log", durable=False)
    yield server
    server.stop()
    server.remove()


def test_a_path_too_long_for_a_socket_is_no_obstacle_and_data_outlive_a_restart(own_server: PostgresServer) -> None:
    first = own_server.start()
    assert one(own_server.dsn("postgres"), "select 1") == 1
    assert is_usable_for_socket(own_server.socket_directory)
    own_server.create_database("kept")
    own_server.stop()
    assert not first.is_alive()
    own_server.start()
    assert own_server.has_database("kept")


def test_removing_a_server_leaves_no_directory_behind(own_server: PostgresServer) -> None:
    own_server.start()
    places = {own_server.home, own_server.socket_directory}
    own_server.stop()
    own_server.remove()
    assert not any(place.exists() for place in places)


def test_data_of_another_postgres_version_are_refused_and_left_alone(own_server: PostgresServer) -> None:
    own_server.prepare()
    version = own_server.data / "PG_VERSION"
    version.write_text("9\n")
    with pytest.raises(StackError, match=r"were made by Postgres 9, .* remove .* to start again"):
        own_server.prepare()
    assert version.read_text() == "9\n"


def test_a_server_that_cannot_start_shows_its_log(own_server: PostgresServer) -> None:
    own_server.prepare()
    (own_server.data / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(StackError, match="postgres ended") as caught:
        own_server.start()
    assert caught.value.log == own_server.log
    assert "no_such_setting" in own_server.log.read_text()


def test_a_directory_of_somebody_else_in_our_place_is_not_trusted(tmp_path: Path) -> None:
    ours = private_directory(tmp_path, Path("/somewhere"))
    assert stat.S_IMODE(ours.stat().st_mode) == 0o700
    assert private_directory(tmp_path, Path("/somewhere")) == ours
    assert private_directory(tmp_path, Path("/elsewhere")) != ours
    ours.rmdir()
    ours.symlink_to(tmp_path)
    with pytest.raises(StackError, match="belongs to another user"):
        private_directory(tmp_path, Path("/somewhere"))


def test_a_file_counts_as_open_only_if_every_directory_above_it_is(tmp_path: Path) -> None:
    # Of pytest's directories above only the owner enters some, so the check must say no however open these two are.
    inner = tmp_path / "inner"
    inner.mkdir(mode=0o755)
    tmp_path.chmod(0o700)
    assert not is_open_to_others(inner)
    assert is_open_to_others(Path("/"))


def test_names_that_postgres_would_split_or_unquote_are_not_used_for_sockets(tmp_path: Path) -> None:
    assert is_usable_for_socket(Path("/run/short"))
    assert not is_usable_for_socket(Path("/run/with space"))
    assert not is_usable_for_socket(Path("/run/with,comma"))
    assert not is_usable_for_socket(Path("/run") / ("x" * 100))


def test_only_throw_away_servers_trade_safety_for_speed() -> None:
    assert "fsync" not in server_settings(Path("/run"), durable=True)
    assert server_settings(Path("/run"), durable=True)["synchronous_commit"] == "on"
    assert server_settings(Path("/run"), durable=False)["fsync"] == "off"


def test_the_server_of_a_killed_test_session_is_ended_by_the_next(tmp_path: Path) -> None:
    home = tmp_path / "syrve-tests-abandoned"
    home.mkdir()
    sleeper = Command("server", [sys.executable, "-c", "import time; time.sleep(60)"], {}, home / "log", home)
    server = spawn(sleeper)
    session = subprocess.Popen([sys.executable, "-c", ""])
    session.wait()
    dead = ProcessRecord("pytest", session.pid, "long gone")
    owner = {"session": asdict(ProcessRecord.of_this_process("pytest")), "server": asdict(server)}
    (home / "owner.json").write_text(json.dumps(owner))
    end_abandoned_servers(tmp_path)
    assert server.is_alive()
    (home / "owner.json").write_text(json.dumps(owner | {"session": asdict(dead)}))
    end_abandoned_servers(tmp_path)
    assert not server.is_alive()
    assert not home.exists()
