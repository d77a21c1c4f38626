"""Makes the stack ready before anything else of it starts: databases, roles, the pool and the first administrator.

Run by the `init` service of docker-compose.yml at every start; each step may be repeated. Secrets arrive in the environment and
leave it only through standard input or as a hash: no command line, log line or server log holds one.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import encrypt_password

LOADER_LOGIN = "syrve_airflow"
LOADER_ROLE = "syrve_loader"
SOURCE_LOGIN = "syrve_forms"
SOURCE_ROLE = "syrve_source"
POOL = "syrve_api"
ADDED_ATTRIBUTES = """
    select taken.attribute
    from pg_roles
    cross join lateral (
        values ('nosuperuser', rolsuper), ('nocreatedb', rolcreatedb), ('nocreaterole', rolcreaterole),
            ('noreplication', rolreplication), ('nobypassrls', rolbypassrls)
    ) as taken (attribute, is_held)
    where rolname = %(login)s and taken.is_held
"""

# These become part of a connection URL, which a stray @ or / would turn into another URL.
URL_SAFE = (
    "METADATA_DB_PASSWORD",
    "REDIS_PASSWORD",
    "WAREHOUSE_LOADER_PASSWORD",
    "WAREHOUSE_OWNER_PASSWORD",
    "WAREHOUSE_SOURCE_PASSWORD",
)
MINIMUM_LENGTHS = {"AIRFLOW_JWT_SECRET": 64, "AIRFLOW_API_SECRET_KEY": 32, "AIRFLOW_ADMIN_PASSWORD": 8} | dict.fromkeys(
    URL_SAFE, 8
)


class StepFailedError(Exception):
    """One step of the preparation did not succeed; the text says which and what to do."""


def find_problems(environment: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the settings, a sentence each that names the variable and never its value."""
    problems = [
        f"{name} holds a character other than letters, digits and . _ ~ -; make another with 'openssl rand -hex 24'"
        for name in URL_SAFE
        if not re.fullmatch(r"[A-Za-z0-9._~-]*", environment.get(name, ""))
    ]
    problems += [
        f"{name} is shorter than {minimum} characters; .env.example says how to make one"
        for name, minimum in sorted(MINIMUM_LENGTHS.items())
        if len(environment.get(name, "")) < minimum
    ]
    if not _is_fernet_key(environment.get("AIRFLOW_FERNET_KEY", "")):
        problems.append(
            "AIRFLOW_FERNET_KEY is not 32 bytes in URL-safe base64; make one with 'openssl rand -base64 32 | tr +/ -_'"
        )
    if not environment.get("SYRVE_POOL_SLOTS", "").isdecimal() or int(environment["SYRVE_POOL_SLOTS"]) < 1:
        problems.append("SYRVE_POOL_SLOTS is not a whole number above 0")
    if connection_problem := _connection_problem(environment.get("AIRFLOW_CONN_SYRVE_DEFAULT", "")):
        problems.append(f"AIRFLOW_CONN_SYRVE_DEFAULT {connection_problem}; .env.example shows one")
    return problems


def _is_fernet_key(value: str) -> bool:
    try:
        return len(base64.b64decode(value, altchars=b"-_", validate=True)) == 32
    except ValueError:
        return False


def _connection_problem(value: str) -> str | None:
    """Check the form only: whether the account exists is the connection test's business."""
    if value.lstrip().startswith("{"):
        try:
            fields = json.loads(value)
        except ValueError:
            return "is not valid JSON (does the line in .env keep its single quotes?)"
        conn_type, host, password = (fields.get(name) for name in ("conn_type", "host", "password"))
    else:
        parts = urlsplit(value)
        conn_type, host, password = parts.scheme, parts.hostname, parts.password
    if conn_type != "syrve":
        return "is not a connection of the type syrve"
    if not host:
        return "names no host"
    return None if password else "holds no api login in the password field"


def run_step(title: str, command: list[str], environment: Mapping[str, str], standard_input: str = "") -> None:
    """Run one command of the preparation; raise StepFailedError, its standard error shown, when its exit code is not 0.

    The command gets a session of its own, so that a prompt for a password finds no terminal and reads `standard_input`.
    """
    print(f"init: {title} ...", flush=True)
    result = subprocess.run(  # noqa: S603 (every command is a constant of this file)
        command,
        env={**environment, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"},
        input=standard_input,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        check=False,
    )
    if result.returncode != 0:
        print(result.stderr, file=sys.stderr)
        raise StepFailedError(f"{title}: exit code {result.returncode}, see the lines above")


def ensure_loader_login(owner_dsn: str, password: str) -> None:
    """Make the login of the DAGs, a member of the loader role and nothing more, and set its password; raises as `_ensure_login`."""
    _ensure_login(owner_dsn, LOADER_LOGIN, LOADER_ROLE, password)


def ensure_source_login(owner_dsn: str, password: str) -> None:
    """Make the login of the queries of forms, which may only read the views of the schema source; raises as `_ensure_login`."""
    _ensure_login(owner_dsn, SOURCE_LOGIN, SOURCE_ROLE, password, "set default_transaction_read_only = on")


def _ensure_login(owner_dsn: str, login_name: str, role_name: str, password: str, setting: str | None = None) -> None:
    """Make a login that is a member of one role, and set its password.

    The server gets the password as a SCRAM verifier. Raises StepFailedError when the migrations made no such role, and
    psycopg2.Error when the server refuses.
    """
    print(f"init: warehouse login {login_name} ...", flush=True)
    login, role = sql.Identifier(login_name), sql.Identifier(role_name)
    connection = psycopg2.connect(owner_dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("select rolname from pg_roles where rolname = any(%s)", [[login_name, role_name]])
            existing = {name for (name,) in cursor.fetchall()}
            if role_name not in existing:
                raise StepFailedError(f"the warehouse has no role {role_name}: the migrations' owner lacks CREATEROLE")
            if login_name not in existing:
                cursor.execute(sql.SQL("create role {}").format(login))
            verifier = encrypt_password(password, login_name, scope=connection, algorithm="scram-sha-256")
            cursor.execute(sql.SQL("alter role {} login inherit password {}").format(login, sql.Literal(verifier)))
            # Only what it has too much of: an owner who is no superuser may not even mention the others.
            cursor.execute(ADDED_ATTRIBUTES, {"login": login_name})
            for (attribute,) in cursor.fetchall():
                cursor.execute(sql.SQL(f"alter role {{}} {attribute}").format(login))
            cursor.execute(sql.SQL("grant {} to {}").format(role, login))
            if setting:
                cursor.execute(sql.SQL(f"alter role {{}} {setting}").format(login))
    finally:
        connection.close()


def prepare(environment: Mapping[str, str]) -> None:
    """Take every step in order; raise StepFailedError at the first that fails."""
    airflow = [sys.executable, "-m", "airflow"]
    run_step("metadata migrations", [*airflow, "db", "migrate"], environment)
    user, email = environment["AIRFLOW_ADMIN_USER"], environment["AIRFLOW_ADMIN_EMAIL"]
    names = ["--firstname", "Syrve", "--lastname", "Administrator"]
    create_user = [*airflow, "users", "create", "--role", "Admin", "--username", user, "--email", email, *names]
    run_step("first administrator", create_user, environment, f"{environment['AIRFLOW_ADMIN_PASSWORD']}\n" * 2)
    set_pool = [*airflow, "pools", "set", POOL, environment["SYRVE_POOL_SLOTS"], "Tasks that call Syrve"]
    run_step(f"pool {POOL}", set_pool, environment)
    # The migrations run as the owner: without the DAGs' connection in sight there is no doubt which of the two is meant.
    as_owner = {name: value for name, value in environment.items() if name != "AIRFLOW_CONN_SYRVE_WAREHOUSE"}
    run_step("warehouse migrations", [sys.executable, "-m", "syrve.warehouse", "migrate"], as_owner)
    ensure_loader_login(environment["SYRVE_WAREHOUSE_DSN"], environment["WAREHOUSE_LOADER_PASSWORD"])
    ensure_source_login(environment["SYRVE_WAREHOUSE_DSN"], environment["WAREHOUSE_SOURCE_PASSWORD"])


def main(environment: Mapping[str, str]) -> int:
    """Check the settings, then prepare; return 0, 1 when a step failed, or 2 when a setting is wrong."""
    problems = find_problems(environment)
    if problems:
        print("init: the settings in .env need mending:", *problems, sep="\n  ", file=sys.stderr)
        return 2
    try:
        prepare(environment)
    except (StepFailedError, psycopg2.Error) as error:
        print(f"init: failed: {error}", file=sys.stderr)
        return 1
    print("init: ready", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
