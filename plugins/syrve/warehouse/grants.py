"""Gives each role what its file in `sql/grants/` states, and nothing else; as often as one likes, with the same result.

Roles and some rights belong to the server or the database, and the owner of the schemas may be unable to give them. That is no
error: what could not be given is named by `missing_rights`, with the statement that an administrator runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg2.errors
from psycopg2 import sql as composed

from syrve.warehouse.database import Connection, Cursor
from syrve.warehouse.sql_files import sql, sql_folder

SCHEMAS = ("syrve", "sync", "crm", "wallet", "analytics", "source", "secret", "privacy")
"""Every schema of ours; what is in them is only for roles to which it was granted."""

LOADER = "syrve_loader"
"""The role of the DAGs: it alone stages rows in temporary tables and takes advisory locks."""

EVERYONE = "everyone"

LOCKS = "^pg_(try_)?advisory_(xact_)?lock"
"""Functions of Postgres that take advisory locks, for which the DAGs wait, too; the DAGs' role gets them back."""

WRITERS = "^(lo_creat|lo_create|lo_from_bytea|pg_logical_emit_message)$"
"""Functions of Postgres by which every login writes without a right on a table: large objects, and messages in the WAL."""

# No right to; another database of the server just made the role; the role is missing.
_TOLERATED = (
    psycopg2.errors.InsufficientPrivilege,
    psycopg2.errors.DuplicateObject,
    psycopg2.errors.UniqueViolation,
    psycopg2.errors.UndefinedObject,
)


@dataclass(frozen=True, slots=True)
class MissingRight:
    """What keeps the roles from holding, and how to mend it; the warehouse works without it unless `is_needed`."""

    what: str
    remedy: str
    is_needed: bool = False

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class _Database:
    owner: str
    owner_is_superuser: bool
    is_superuser: bool
    owns_database: bool
    public_makes_temporary_tables: bool
    public_locks: list[str] | None
    public_writers: list[str] | None
    public_creates_objects: bool | None
    open_views: list[str] | None


def roles() -> tuple[str, ...]:
    """Return the names of the group roles: one file of `sql/grants/` each."""
    return tuple(sorted(path.stem for path in (sql_folder() / "grants").glob("*.sql") if path.stem != EVERYONE))


def apply_grants(connection: Connection) -> list[str]:
    """Make the rights what the files state, in one transaction; returns what was given (`+`) and taken (`-`), if anything."""
    with connection, connection.cursor() as cursor:
        for role in _absent_roles(cursor):
            _try(cursor, composed.SQL("create role {} nologin").format(composed.Identifier(role)))
        before = _rights(cursor)
        _state(cursor)
        _close_database(cursor)
        after = _rights(cursor)
        if before == after:
            connection.rollback()  # no row of the catalogue is written for nothing, but a new role would be in the difference
        return sorted([f"+ {right}" for right in after - before] + [f"- {right}" for right in before - after])


def missing_rights(connection: Connection) -> list[MissingRight]:
    """Name what keeps the roles from holding; changes nothing. Only the owner of the schemas can ask."""
    with connection, connection.cursor() as cursor:
        absent = _absent_roles(cursor)
        before = _rights(cursor)
        _state(cursor)
        differing = before ^ _rights(cursor)
        connection.rollback()
    found = [
        MissingRight(f"the role {role} does not exist", f"an administrator runs: create role {role} nologin", True)
        for role in absent
    ]
    if differing:
        remedy = "run: python -m syrve.warehouse grants"
        found.append(MissingRight(f"{len(differing)} rights are not as sql/grants states them", remedy, True))
    with connection, connection.cursor() as cursor:
        return found + _problems(_database(cursor), _name_of_database(cursor))


def _state(cursor: Cursor) -> None:
    schemas = composed.SQL(", ").join(map(composed.Identifier, SCHEMAS))
    absent = _absent_roles(cursor)
    present = [role for role in roles() if role not in absent]
    for role in present:
        for kind in ("all tables in schema", "all sequences in schema", "all routines in schema", "schema"):
            statement = composed.SQL(f"revoke all on {kind} {{}} from {{}}")
            cursor.execute(statement.format(schemas, composed.Identifier(role)))
    cursor.execute(sql(f"grants/{EVERYONE}.sql"))
    # By default Postgres lets every login call a new function; functions that the owner creates later are closed too.
    statement = composed.SQL("alter default privileges for role {} revoke execute on functions from public")
    cursor.execute(statement.format(composed.Identifier(_database(cursor).owner)))
    for role in present:
        cursor.execute(sql(f"grants/{role}.sql"))


def _close_database(cursor: Cursor) -> None:
    """Revoke from PUBLIC what Postgres grants to PUBLIC, if this login may."""
    database = _database(cursor)
    name = _name_of_database(cursor)
    if database.is_superuser or database.owns_database:
        for statement in _temporary_statements(name):
            _try(cursor, composed.SQL(statement))
    if database.is_superuser:
        for statement in _function_statements(database):
            _try(cursor, composed.SQL(statement))


def _problems(database: _Database, name: str) -> list[MissingRight]:
    found = []
    if database.public_makes_temporary_tables:
        statements = "; ".join(_temporary_statements(name))
        found.append(
            MissingRight("every login may create temporary tables", f"the database's owner runs: {statements}")
        )
    if database.public_locks:
        remedy = "a superuser runs: python -m syrve.warehouse grants"
        found.append(MissingRight("every login may take advisory locks, and so keep the DAGs waiting", remedy))
    if database.public_writers:
        remedy = "a superuser runs: python -m syrve.warehouse grants"
        found.append(MissingRight("every login may create large objects and write to the WAL", remedy))
    if database.public_creates_objects:
        remedy = "its owner runs: revoke create on schema public from public"
        found.append(MissingRight("every login may create objects in the schema public", remedy))
    for view in database.open_views or []:
        remedy = f"its owner runs: alter view {view} set (security_barrier)"
        found.append(MissingRight(f"a query of a form can make {view} tell of rows that it leaves out", remedy))
    if database.owner_is_superuser:
        remedy = "let a role without that own the warehouse: functions of ours that run as their owner would be able to do anything"
        found.append(MissingRight(f"the owner {database.owner} is a superuser", remedy))
    return found


def _temporary_statements(database: str) -> list[str]:
    return [
        f'revoke temporary on database "{database}" from public',
        f'grant temporary on database "{database}" to {LOADER}',
    ]


def _function_statements(database: _Database) -> list[str]:
    locks, writers = database.public_locks or [], database.public_writers or []
    statements = [f"revoke execute on function {name} from public" for name in (*locks, *writers)]
    statements += [f'grant execute on function {name} to {LOADER}, "{database.owner}"' for name in locks]
    return statements + [f'grant execute on function {name} to "{database.owner}"' for name in writers]


def _absent_roles(cursor: Cursor) -> list[str]:
    cursor.execute("select rolname from pg_roles where rolname = any(%s)", (list(roles()),))
    present = {name for (name,) in cursor.fetchall()}
    return [role for role in roles() if role not in present]


def _rights(cursor: Cursor) -> set[str]:
    cursor.execute(sql("rights/given.sql"), {"schemas": list(SCHEMAS), "closed": f"{LOCKS}|{WRITERS}"})
    return {
        f"{privilege} on {thing} to {grantee}{' with grant option' if is_grantable else ''}"
        for privilege, thing, grantee, is_grantable in cursor.fetchall()
    }


def _database(cursor: Cursor) -> _Database:
    cursor.execute(sql("rights/database.sql"), {"locks": LOCKS, "writers": WRITERS})
    row = cursor.fetchone()
    if row is None:
        raise LookupError("the schema sync is missing")
    return _Database(*row)


def _name_of_database(cursor: Cursor) -> str:
    cursor.execute("select replace(current_database(), '\"', '\"\"')")
    row = cursor.fetchone()
    return str(row[0]) if row else ""


def _try(cursor: Cursor, statement: composed.Composable) -> None:
    """Run a statement that this login may lack the right to; `missing_rights` tells of it then."""
    cursor.execute("savepoint attempt")
    try:
        cursor.execute(statement)
    except _TOLERATED:
        cursor.execute("rollback to savepoint attempt")
    cursor.execute("release savepoint attempt")
