"""Applies the numbered SQL of `sql/migrations/` with yoyo, one process at a time.

yoyo's own lock is a row that a killed process leaves behind; an advisory lock goes with its connection, so that is what keeps two
starts apart here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import yoyo
from sqlalchemy.engine import URL

from syrve.warehouse.database import Warehouse
from syrve.warehouse.errors import WarehouseConfigError, WarehouseError, warehouse_errors
from syrve.warehouse.sql_files import sql_folder

log = logging.getLogger(__name__)

_LOCK_KEY = 0x5379727665  # "Syrve"
_WAIT_FOR_OTHERS_MS = 600_000


@dataclass(frozen=True, slots=True)
class MigrationState:
    """Ids of migrations, in order."""

    applied: tuple[str, ...]
    pending: tuple[str, ...]


def migrate(url: URL) -> list[str]:
    """Apply what is pending and return the ids applied; a second process that starts meanwhile waits and finds nothing to do."""
    with _alone(url, "migrate") as backend:
        pending = backend.to_apply(_migrations())
        names = [migration.id for migration in pending]
        backend.apply_migrations(pending)
        return names


def roll_back(url: URL, *, to: str | None) -> list[str]:
    """Take back every migration after `to` (all of them if None), newest first, and return their ids."""
    with _alone(url, "roll back") as backend:
        migrations = _migrations()
        if to is not None and to not in {migration.id for migration in migrations}:
            raise WarehouseConfigError(f"there is no migration {to!r}; see: python -m syrve.warehouse status")
        undone = backend.to_rollback(migrations)
        if to is not None:
            undone = undone.filter(lambda migration: migration.id > to)
        names = [migration.id for migration in undone]
        backend.rollback_migrations(undone)
        return names


def state(url: URL) -> MigrationState:
    """Tell which migrations are applied and which are pending."""
    with _alone(url, "list the migrations") as backend:
        pending = {migration.id for migration in backend.to_apply(_migrations())}
        names = [migration.id for migration in _migrations()]
        return MigrationState(
            tuple(name for name in names if name not in pending), tuple(name for name in names if name in pending)
        )


def _migrations() -> yoyo.migrations.MigrationList:
    found = yoyo.read_migrations(str(sql_folder() / "migrations"))
    if not found:
        raise WarehouseConfigError(f"no migrations in {sql_folder() / 'migrations'}: the installation is incomplete")
    return found


@contextmanager
def _alone(url: URL, doing: str) -> Iterator[yoyo.backends.DatabaseBackend]:
    with Warehouse(url, application_name="syrve migrate").connect() as connection:
        connection.autocommit = True
        with warehouse_errors("wait for another migration to end"), connection.cursor() as cursor:
            cursor.execute("select set_config('lock_timeout', %s, false)", (f"{_WAIT_FOR_OTHERS_MS}ms",))
            cursor.execute("select pg_advisory_lock(%s)", (_LOCK_KEY,))
        with warehouse_errors("open the warehouse for migration"):
            backend = yoyo.get_backend(url.set(drivername="postgresql").render_as_string(hide_password=False))
        try:
            with warehouse_errors(doing):
                backend.break_lock()  # whoever left it is dead: the advisory lock is ours
                yield backend
        except yoyo.exceptions.BadMigration as error:
            raise WarehouseError(f"migrate: {error}") from error
        finally:
            backend.connection.close()
