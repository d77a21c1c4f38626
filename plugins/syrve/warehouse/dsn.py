"""Builds the URL of the warehouse from an Airflow-style connection or the environment, always with psycopg2 as the driver."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg2
from psycopg2.extensions import make_dsn
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from syrve.warehouse.errors import WarehouseConfigError

DRIVER = "postgresql+psycopg2"
_OF_AIRFLOWS_HOOK = frozenset({"cursor", "enable_log_for_postgres", "sqlalchemy_query", "sqlalchemy_scheme"})
"""Extras that tell Airflow's own Postgres hook how to work; they change nothing of the connection."""
_IN_FIELDS = frozenset({"dbname", "password", "user"})
"""Options that the URL or the connection has fields for."""


def url_from_parts(
    *,
    host: str | None,
    port: int | None,
    login: str | None,
    password: str | None,
    database: str | None,
    extra: Mapping[str, Any],
) -> URL:
    """Build the URL from a connection's fields; a host that begins with `/` is a socket folder, extras are libpq options.

    Raises `WarehouseConfigError` if an extra is none: a misspelt `sslmode` would connect without TLS.
    """
    query = {key: str(value) for key, value in extra.items() if _is_libpq_option(key) and value is not None}
    if host and host.startswith("/"):
        query["host"] = host
        host = None
    return URL.create(DRIVER, username=login, password=password, host=host, port=port, database=database, query=query)


def url_from_environment(*variables: str, login: str) -> URL:
    """Read the URL from the first of the variables that is set; `login` names who it belongs to. Raises `WarehouseConfigError`."""
    for variable in variables:
        if text := os.environ.get(variable):
            return url_from_text(text)
    raise WarehouseConfigError(f"set {' or '.join(variables)} to the URL of the warehouse, with the log-in of {login}")


def url_from_text(text: str) -> URL:
    """Read a libpq or SQLAlchemy URL, an Airflow connection URI, or an Airflow connection as JSON; raise `WarehouseConfigError`."""
    if text.lstrip().startswith("{"):
        return _url_from_json(text)
    scheme, _, rest = text.partition("://")
    if scheme.partition("+")[0] not in ("postgres", "postgresql"):
        raise WarehouseConfigError(
            "the warehouse must be a Postgres connection: postgresql://user:password@host:port/database"
        )
    try:
        url = make_url(f"{DRIVER}://{rest}")
        options: dict[str, Any] = dict(parse_qsl(urlsplit(text).query))
    except (ArgumentError, ValueError):
        raise WarehouseConfigError("the URL of the warehouse cannot be read") from None
    options |= _extra(options.pop("__extra__", None))
    return url_from_parts(
        host=unquote(url.host) if url.host else None,
        port=_port(url.port),
        login=url.username or options.get("user"),
        password=url.password or options.get("password"),
        database=url.database or options.get("dbname"),
        extra=options,
    )


def _url_from_json(text: str) -> URL:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise WarehouseConfigError("the warehouse connection is not valid JSON") from None
    conn_type = fields.get("conn_type", "postgres")
    if conn_type not in ("postgres", "postgresql"):
        raise WarehouseConfigError(f"the warehouse connection has the type {conn_type!r}; it must be postgres")
    for name in ("host", "login", "password", "schema"):
        if not isinstance(fields.get(name), str | None):
            raise WarehouseConfigError(f"the field {name} of the warehouse connection must be text")
    return url_from_parts(
        host=fields.get("host"),
        port=_port(fields.get("port")),
        login=fields.get("login"),
        password=fields.get("password"),
        database=fields.get("schema"),
        extra=_extra(fields.get("extra")),
    )


def _is_libpq_option(name: str) -> bool:
    """Tell whether an extra goes to libpq; False if it is for others. Raises `WarehouseConfigError` if libpq does not know it."""
    if name in _OF_AIRFLOWS_HOOK | _IN_FIELDS:
        return False
    # psycopg2 would take the first for several options, and the second for `dbname`.
    if name.isidentifier() and name != "database":
        with suppress(psycopg2.Error):
            make_dsn(**{name: "0"})
            return True
    raise WarehouseConfigError(
        f"the warehouse connection has an option {name!r}, which Postgres does not know: correct its name or remove it"
    )


def _port(value: object) -> int | None:
    if value in (None, ""):
        return None
    text = str(value)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise WarehouseConfigError("the port of the warehouse connection must be a number from 1 to 65535")
    return int(text)


def _extra(value: object) -> dict[str, Any]:
    """Read extras given as an object, or as the text of one."""
    try:
        found = json.loads(value) if isinstance(value, str) and value else value or {}
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise WarehouseConfigError("the extra of the warehouse connection must be a JSON object")
    return found
