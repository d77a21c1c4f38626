"""Applies the numbered SQL of `sql/migrations/` with yoyo, one process at a time.

yoyo's own lock is a row that a killed process leaves behind; an advisory lock goes with its connection, so that is what keeps two
starts apart here. yoyo commits a migration before it notes that it is applied; a process killed in between would leave a warehouse
that can be migrated neither way, so here both are one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import yoyo
from psycopg2 import sql as composed
from sqlalchemy.engine import URL

from syrve.warehouse.database import Cursor, Warehouse, fetch_one
from syrve.warehouse.errors import WarehouseConfigError, WarehouseError, warehouse_errors
from syrve.warehouse.grants import MissingRight, apply_grants, missing_rights
from syrve.warehouse.layout import BOOKKEEPING_SCHEMA, lost_with, note_newest, refuse_newer, unknown
from syrve.warehouse.sql_files import sql_folder

log = logging.getLogger(__name__)

_LOCK_KEY = 0x5379727665  # "Syrve"
_WAIT_FOR_OTHERS_MS = 600_000


@dataclass(frozen=True, slots=True)
class MigrationState:
    """Ids of migrations, in order; `unknown` are applied ones that only a newer version has."""

    applied: tuple[str, ...]
    pending: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def migrate(url: URL) -> list[str]:
    """Apply what is pending and return the ids applied; a second process that starts at the same time waits and finds nothing to do.

    Raises `WarehouseConfigError` if a newer version has migrated the warehouse, as `grant` and `roll_back` do.
    """
    with _alone(url, "migrate") as backend:
        pending = backend.to_apply(_migrations())
        names = [migration.id for migration in pending]
        for migration in pending:
            _process(backend, migration, "apply")
        _grant(url)
        return names


def grant(url: URL) -> list[str]:
    """Make every right what `sql/grants/` states and return what changed; raises `WarehouseConfigError` while migrations are pending."""
    with _alone(url, "grant rights") as backend:
        if backend.to_apply(_migrations()):
            raise WarehouseConfigError("grant rights: migrations are pending; run: python -m syrve.warehouse migrate")
        return _grant(url)


def missing(url: URL) -> list[MissingRight]:
    """Name what keeps the roles from holding; nothing while migrations are pending, or if only a newer version knows the rights."""
    with _alone(url, "compare rights", refuses_newer=False) as backend:
        if backend.to_apply(_migrations()) or unknown(_applied(backend)):
            return []
        with Warehouse(url, application_name="syrve migrate").connect() as connection:
            return missing_rights(connection)


def _grant(url: URL) -> list[str]:
    with Warehouse(url, application_name="syrve migrate").connect() as connection:
        return apply_grants(connection)


def roll_back(url: URL, *, to: str | None, loses_data: bool = False) -> list[str]:
    """Take back every migration after `to` (all of them if None), newest first, and return their ids.

    Raises `WarehouseConfigError` if there is no migration `to`, or if rows would go with their tables and `loses_data` is not set.
    """
    with _alone(url, "roll back") as backend:
        migrations = _migrations()
        if to is not None and to not in {migration.id for migration in migrations}:
            raise WarehouseConfigError(f"there is no migration {to!r}; see: python -m syrve.warehouse status")
        undone = backend.to_rollback(migrations)
        if to is not None:
            undone = undone.filter(lambda migration: migration.id > to)
        names = [migration.id for migration in undone]
        if not loses_data:
            _refuse_to_lose(url, names)
        with Warehouse(url, application_name="syrve migrate").transaction("note what stays") as cursor:
            # Before: a process that dies in the middle leaves no claim of too much.
            note_newest(cursor, set(_applied(backend)) - set(names))
        for migration in undone:
            _process(backend, migration, "rollback")
        return names


def _process(backend: yoyo.backends.DatabaseBackend, migration: yoyo.migrations.Migration, direction: str) -> None:
    """Apply a migration or take it back, and note that, in one transaction."""
    log.info("%s %s", direction, migration.id)
    backend.ensure_internal_schema_updated()
    with warehouse_errors(f"{direction} {migration.id}"), backend.copy() as own, own.transaction():
        migration.process_steps(own, direction)
        own.log_migration(migration, direction)
        if direction == "apply":
            own.mark_one(migration, log=False)
        else:
            own.unmark_one(migration, log=False)


def _refuse_to_lose(url: URL, names: list[str]) -> None:
    with Warehouse(url, application_name="syrve migrate").transaction("look for rows") as cursor:
        filled = [table for table in lost_with(names) if _has_rows(cursor, table)]
    if filled:
        raise WarehouseConfigError(
            f"roll back: the rows of {', '.join(filled)} would be lost, so nothing was taken back; back the warehouse up "
            "(docs/production.md), then repeat it with --lose-data"
        )


def _has_rows(cursor: Cursor, table: str) -> bool:
    cursor.execute(composed.SQL("select exists (select from {})").format(composed.Identifier(*table.split("."))))
    return bool(fetch_one(cursor)[0])


def state(url: URL) -> MigrationState:
    """Tell which migrations are applied and which are pending."""
    with _alone(url, "list the migrations", refuses_newer=False) as backend:
        pending = {migration.id for migration in backend.to_apply(_migrations())}
        names = [migration.id for migration in _migrations()]
        return MigrationState(
            tuple(name for name in names if name not in pending),
            tuple(name for name in names if name in pending),
            unknown(_applied(backend)),
        )


def _applied(backend: yoyo.backends.DatabaseBackend) -> list[str]:
    backend.ensure_internal_schema_updated()
    query = backend.format_sql("select {quoted.migration_id} from {0.migration_table_quoted}")
    return [str(name) for (name,) in backend.execute(query).fetchall()]


def _migrations() -> yoyo.migrations.MigrationList:
    found = yoyo.read_migrations(str(sql_folder() / "migrations"))
    if not found:
        raise WarehouseConfigError(f"no migrations in {sql_folder() / 'migrations'}: the installation is incomplete")
    return found


@contextmanager
def _alone(url: URL, doing: str, *, refuses_newer: bool = True) -> Iterator[yoyo.backends.DatabaseBackend]:
    with Warehouse(url, application_name="syrve migrate").connect() as connection:
        connection.autocommit = True
        with warehouse_errors("wait for another migration to end"), connection.cursor() as cursor:
            cursor.execute("select set_config('lock_timeout', %s, false)", (f"{_WAIT_FOR_OTHERS_MS}ms",))
            cursor.execute("select pg_advisory_lock(%s)", (_LOCK_KEY,))
            _make_bookkeeping_schema(cursor)
        with warehouse_errors("open the warehouse for migration"):
            own = url.set(drivername="postgresql").update_query_dict({"schema": BOOKKEEPING_SCHEMA})
            backend = yoyo.get_backend(own.render_as_string(hide_password=False))
        try:
            with warehouse_errors(doing):
                backend.break_lock()  # its holder is dead: the advisory lock is ours
                if refuses_newer:
                    refuse_newer(doing, _applied(backend))
                yield backend
                with connection.cursor() as cursor:
                    note_newest(cursor, _applied(backend))
        except yoyo.exceptions.BadMigration as error:
            raise WarehouseError(f"migrate: {error}") from error
        finally:
            backend.connection.close()


def _make_bookkeeping_schema(cursor: Cursor) -> None:
    cursor.execute(
        """
        select current_user, current_database(), has_database_privilege(current_database(), 'create'),
            exists (select from pg_namespace where nspname = %s and pg_has_role(nspowner, 'usage')),
            exists (select from pg_namespace where nspname = %s)
        """,
        (BOOKKEEPING_SCHEMA, BOOKKEEPING_SCHEMA),
    )
    user, database, creates_schemas, is_own, exists = fetch_one(cursor)
    if exists and not is_own:
        raise WarehouseConfigError(
            f"{user} does not own the warehouse: the DAGs need the grants of syrve_loader, migrations the owner's role"
        )
    if not exists and not creates_schemas:
        raise WarehouseConfigError(
            f'{user} may not create schemas in {database}: its owner runs: grant create on database "{database}" to "{user}"'
        )
    cursor.execute(f"create schema if not exists {BOOKKEEPING_SCHEMA}")
