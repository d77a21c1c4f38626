"""What can go wrong with the warehouse; like the errors of `syrve.api`, each says once whether a task should try again.

::

    WarehouseError               Postgres refused: a defect, a missing right, a full disk     never retry
    ├── WarehouseConfigError     the connection or the schema is not as it must be            never retry
    └── WarehouseUnavailable     no connection, a restart, a deadlock                         retry

Postgres quotes row values in its messages, so they are dropped: only SQLSTATE, its name, and the table and constraint are told.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import psycopg2
import psycopg2.errors
import sqlalchemy.exc

from syrve.errors import SyrveProviderError

_TRANSIENT_CLASSES = ("08", "40", "57", "58")
_TRANSIENT_STATES = (
    "53200",
    "53300",
    "55P03",
)  # out of memory, too many connections, lock not available; a full disk stays full
_MISSING_SCHEMA_STATES = ("3F000", "42P01", "42703", "42883")

_AT_THE_DOOR = (
    (
        ("no encryption", "SSL off"),
        "the server takes connections with TLS only: set sslmode in the extras of the connection",
    ),
    (("does not support SSL",), "sslmode asks for TLS, and the server has none"),
    (
        ("certificate verify failed", "does not match host name"),
        "the server's certificate is not trusted: see sslrootcert and sslmode",
    ),
    (("root certificate file",), "the file that sslrootcert names cannot be read"),
    (("password authentication failed", "no password supplied"), "the server refuses user or password"),
)
"""What libpq and Postgres say of a refused connection, which has no SQLSTATE, and what of it is told: their texts name hosts and users."""


class WarehouseError(SyrveProviderError):
    """Postgres refused a statement."""


class WarehouseConfigError(WarehouseError):
    """The connection or the schema is not as it must be."""


class WarehouseUnavailable(WarehouseError):
    """Postgres could not be reached or gave up a transaction; the same may work later."""

    retry_after_seconds: ClassVar[float | None] = 30.0


@contextmanager
def warehouse_errors(doing: str) -> Iterator[None]:
    """Turn the driver's errors inside the block into a `WarehouseError` that names what was being done and holds no row value."""
    try:
        yield
    except sqlalchemy.exc.DBAPIError as error:
        raise _error_for(doing, error.orig if isinstance(error.orig, psycopg2.Error) else None) from None
    except psycopg2.Error as error:
        raise _error_for(doing, error) from None


def _error_for(doing: str, error: psycopg2.Error | None) -> WarehouseError:
    state = getattr(error, "pgcode", None)
    if state is None and not _is_lost_connection(error):
        what = "what is no error of Postgres" if error is None else type(error).__name__
        return WarehouseError(
            f"{doing}: the driver refused the statement ({what}), Postgres did not: a defect of the program or of a file of SQL, "
            f"not of the connection{_known_refusal(error)}"
        )
    if error is None or state is None:
        return WarehouseUnavailable(
            f"{doing}: no connection to the warehouse; check that the server is up and the connection syrve_warehouse is right"
            + _reason_at_the_door(str(error))
        )
    diagnostics = error.diag
    where = [f"{kind} {name}" for kind, name in _places(diagnostics) if name]
    message = f"{doing}: {type(error).__name__} ({state})" + (f" on {', '.join(where)}" if where else "")
    if state in _MISSING_SCHEMA_STATES:
        return WarehouseConfigError(f"{message}; apply the migrations: python -m syrve.warehouse migrate")
    if state.startswith("28") or state == "3D000":
        return WarehouseConfigError(f"{message}; check user, password and database of the connection syrve_warehouse")
    if state == "42501":
        return WarehouseConfigError(f"{message}; the DAGs need the grants of syrve_loader, migrations the owner's role")
    if state == "53100":
        message += "; a disk of the warehouse is full: free space there, then clear the task"
    if state == "55P03":
        message += "; another session holds a lock that is waited for: see pg_blocking_pids() and pg_stat_activity for whose it is"
    passing = state[:2] in _TRANSIENT_CLASSES or state in _TRANSIENT_STATES
    return WarehouseUnavailable(message) if passing else WarehouseError(message)


def _is_lost_connection(error: psycopg2.Error | None) -> bool:
    """Whether an error without a SQLSTATE is the connection's: the driver refuses statements with other classes."""
    return (
        isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) or type(error) is psycopg2.DatabaseError
    )


def _known_refusal(error: psycopg2.Error | None) -> str:
    return ": it holds no statement" if "empty query" in str(error) else ""


def _reason_at_the_door(text: str) -> str:
    found = (advice for signs, advice in _AT_THE_DOOR if any(sign in text for sign in signs))
    return next((f": {advice}" for advice in found), "")


def _places(diagnostics: psycopg2.extensions.Diagnostics) -> list[tuple[str, str | None]]:
    return [
        ("table", diagnostics.table_name),
        ("column", diagnostics.column_name),
        ("constraint", diagnostics.constraint_name),
    ]
