"""Sessions of the warehouse: what each has, and the databases and poolers that would not keep it."""

import io
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy.engine import URL

from devstack.postgres import SOCKET_FILE, SUPERUSER, PostgresServer
from fixtures.pooler import pooling
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.errors import WarehouseConfigError

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
every_pooler = pytest.mark.parametrize("kind", ["stand-in", *(["pgbouncer"] if PGBOUNCER else [])])
"""PgBouncer is in no Python registry: a stand-in of it runs everywhere, and the real one too where it is installed."""


def test_session_is_in_utc_and_notices_a_dead_server(warehouse_dsn: str) -> None:
    with Warehouse(url_from_text(warehouse_dsn)).connect() as connection:
        told = connection.get_dsn_parameters()
        with connection.cursor() as cursor:
            cursor.execute("select current_setting('timezone'), current_setting('client_encoding')")
            assert cursor.fetchall() == [("UTC", "UTF8")]

    assert (told["keepalives"], told["keepalives_idle"], told["tcp_user_timeout"]) == ("1", "30", "90000")


def test_network_settings_of_the_connection_win(warehouse_dsn: str) -> None:
    url = url_from_text(f"{warehouse_dsn}&keepalives_idle=7&connect_timeout=3")

    with Warehouse(url).connect() as connection:
        told = connection.get_dsn_parameters()

    assert (told["keepalives_idle"], told["connect_timeout"]) == ("7", "3")


def test_database_in_another_encoding_is_refused(postgres_server: PostgresServer) -> None:
    with closing(psycopg2.connect(postgres_server.dsn("postgres"))) as admin:
        admin.autocommit = True
        cursor = admin.cursor()
        cursor.execute(
            "create database ascii_only encoding 'SQL_ASCII' template template0 locale 'C' locale_provider 'libc'"
        )
        try:
            with (
                pytest.raises(WarehouseConfigError, match="encoding SQL_ASCII; it must be UTF8"),
                Warehouse(url_from_text(postgres_server.dsn("ascii_only"))).connect(),
            ):
                pass
        finally:
            cursor.execute("drop database ascii_only")


@contextmanager
def real_pooler(server: PostgresServer, dsn: str, mode: str, home: Path) -> Iterator[URL]:
    """The warehouse through PgBouncer in one of its modes."""
    home.chmod(0o755)
    database = url_from_text(dsn).database
    folder = Path(f"/tmp/syrve-pooler-{os.getpid()}-{mode}")
    folder.mkdir()
    (folder / "users.txt").write_text('"postgres" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n{database} = host={server.socket_directory} port=5432 user=postgres\n[pgbouncer]\n"
        f"listen_addr =\nunix_socket_dir = {folder}\nlisten_port = 6432\nauth_type = any\npool_mode = {mode}\n"
        "default_pool_size = 4\nserver_reset_query = discard all\n"
    )
    account = server.account
    if account is not None:
        for path in (folder, *folder.iterdir()):
            os.chown(path, account.uid, account.gid)
    identity = {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}
    assert PGBOUNCER is not None
    running = subprocess.Popen([PGBOUNCER, "-q", str(folder / "pgbouncer.ini")], **identity)  # type: ignore[call-overload]
    try:
        for _ in range(100):
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(folder / ".s.PGSQL.6432")) == 0:
                    break
            time.sleep(0.1)
        yield url_from_text(f"postgresql://postgres@/{database}?host={folder}&port=6432")
    finally:
        running.terminate()
        running.wait(10)
        shutil.rmtree(folder)


@contextmanager
def pooled(kind: str, server: PostgresServer, dsn: str, mode: str, home: Path) -> Iterator[URL]:
    """The warehouse through a pooler in one of its modes."""
    if kind == "pgbouncer":
        with real_pooler(server, dsn, mode, home) as url:
            yield url
        return
    database = url_from_text(dsn).database or ""
    with (
        tempfile.TemporaryDirectory(prefix="syrve-pooler-") as folder,
        pooling(Path(folder), server.socket_directory / SOCKET_FILE, SUPERUSER, database, mode),
    ):
        yield url_from_text(f"postgresql://postgres@/{database}?host={folder}&port=6432")


@every_pooler
def test_pooler_in_transaction_mode_is_refused(
    kind: str, postgres_server: PostgresServer, warehouse_dsn: str, tmp_path: Path
) -> None:
    with (
        pooled(kind, postgres_server, warehouse_dsn, "transaction", tmp_path) as url,
        pytest.raises(WarehouseConfigError, match="pooler in transaction mode"),
        Warehouse(url).connect(),
    ):
        pass


@every_pooler
def test_pooler_in_session_mode_is_met(
    kind: str, postgres_server: PostgresServer, warehouse_dsn: str, tmp_path: Path
) -> None:
    with (
        pooled(kind, postgres_server, warehouse_dsn, "session", tmp_path) as url,
        Warehouse(url).transaction("read") as cursor,
    ):
        cursor.execute("select current_setting('timezone'), count(*) from sync.roster")
        assert cursor.fetchall() == [("UTC", 0)]


@every_pooler
def test_transaction_mode_gives_one_lock_to_two_sessions(
    kind: str, postgres_server: PostgresServer, warehouse_dsn: str, tmp_path: Path
) -> None:
    """What is refused, and why: without it two tasks hold the same lock at once."""
    with pooled(kind, postgres_server, warehouse_dsn, "transaction", tmp_path) as url:
        dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with closing(psycopg2.connect(dsn)) as one, closing(psycopg2.connect(dsn)) as other:
            for each in (one, other):
                each.autocommit = True
                with each.cursor() as cursor:
                    cursor.execute("select pg_try_advisory_lock(7)")
                    assert cursor.fetchall() == [(True,)]


@every_pooler
def test_pooler_refuses_options_and_copies_rows(
    kind: str, postgres_server: PostgresServer, warehouse_dsn: str, tmp_path: Path
) -> None:
    with pooled(kind, postgres_server, warehouse_dsn, "session", tmp_path) as url:
        dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with pytest.raises(psycopg2.OperationalError, match="unsupported startup parameter"):
            psycopg2.connect(dsn, options="-c timezone=UTC")
        with Warehouse(url).transaction("copy") as cursor:
            cursor.execute("create temp table copied (a integer)")
            cursor.copy_expert("copy copied from stdin", io.StringIO("1\n2\n"))
            cursor.execute("select sum(a) from copied")
            assert cursor.fetchall() == [(3,)]
