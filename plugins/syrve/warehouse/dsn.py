"""Builds the URL of the warehouse from an Airflow-style connection, always with psycopg2 as the driver."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from syrve.warehouse.errors import WarehouseConfigError

DRIVER = "postgresql+psycopg2"
_LIBPQ_OPTIONS = frozenset(
    {
        "application_name",
        "channel_binding",
        "connect_timeout",
        "gssencmode",
        "host",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "options",
        "passfile",
        "port",
        "sslcert",
        "sslkey",
        "sslmode",
        "sslpassword",
        "sslrootcert",
        "target_session_attrs",
        "tcp_user_timeout",
    }
)


def url_from_parts(
    *,
    host: str | None,
    port: int | None,
    login: str | None,
    password: str | None,
    database: str | None,
    extra: Mapping[str, Any],
) -> URL:
    """Build the URL from a connection's fields; a host that begins with `/` is a socket folder, extras are libpq options."""
    query = {key: str(value) for key, value in extra.items() if key in _LIBPQ_OPTIONS}
    if host and host.startswith("/"):
        query["host"] = host
        host = None
    return URL.create(DRIVER, username=login, password=password, host=host, port=port, database=database, query=query)


def url_from_text(text: str) -> URL:
    """Read a libpq or SQLAlchemy URL, an Airflow connection URI, or an Airflow connection as JSON; raise `WarehouseConfigError`."""
    if text.lstrip().startswith("{"):
        return _url_from_json(text)
    scheme = urlsplit(text).scheme.partition("+")[0]
    if scheme not in ("postgres", "postgresql"):
        raise WarehouseConfigError(
            "the warehouse must be a Postgres connection: postgresql://user:password@host:port/database"
        )
    rest = text.partition("://")[2]
    try:
        url = make_url(f"{DRIVER}://{rest}")
    except (ArgumentError, ValueError):
        raise WarehouseConfigError("the URL of the warehouse cannot be read") from None
    options = dict(parse_qsl(urlsplit(text).query))
    nested = options.pop("__extra__", None)
    if nested:
        options |= {key: str(value) for key, value in json.loads(nested).items()}
    return url_from_parts(
        host=unquote(url.host) if url.host else None,
        port=url.port,
        login=url.username,
        password=url.password,
        database=url.database,
        extra=options,
    )


def _url_from_json(text: str) -> URL:
    try:
        fields = json.loads(text)
        extra = fields.get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
        port = fields.get("port")
        conn_type = fields.get("conn_type", "postgres")
    except (ValueError, AttributeError):
        raise WarehouseConfigError("the warehouse connection is not valid JSON") from None
    if conn_type not in ("postgres", "postgresql"):
        raise WarehouseConfigError(f"the warehouse connection has the type {conn_type!r}; it must be postgres")
    return url_from_parts(
        host=fields.get("host"),
        port=int(port) if port else None,
        login=fields.get("login"),
        password=fields.get("password"),
        database=fields.get("schema"),
        extra=extra,
    )
