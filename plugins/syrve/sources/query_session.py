"""The transaction of a query: read only, within a time, and with the settings that it began with, also if the query sets others."""

from __future__ import annotations

import time

from sqlalchemy.engine import Connection

from syrve.sources.errors import UnusableSource

_TIME_LIMIT = "set local statement_timeout = {milliseconds}"
_READ_ONLY = {
    "postgresql": ("set transaction read only", "set local standard_conforming_strings = on", _TIME_LIMIT),
    "mysql": ("set session transaction read only", "set session max_execution_time = {milliseconds}"),
    "mariadb": ("set session transaction read only", "set session max_statement_time = {seconds}"),
    "oracle": ("set transaction read only",),
    "sqlite": ("pragma query_only = on",),
}
_READ_BY = (
    *("client_encoding", "datestyle", "timezone", "intervalstyle", "extra_float_digits", "bytea_output"),
    *("lc_monetary", "lc_numeric", "lc_time", "search_path", "xmloption", "xmlbinary"),
)
"""Settings of Postgres on which depends what a value reads as."""
_NO_PARAMETERS = {"no_parameters": True}


class QuerySession:
    """Keeps one connection so; `begin` it before the query, and `keep` it before each fetch."""

    def __init__(self, connection: Connection, *, timeout_seconds: float, max_seconds: float) -> None:
        self._connection = connection
        self._timeout_seconds = timeout_seconds
        self._max_seconds = max_seconds
        self._ends_at = time.monotonic() + max_seconds
        self._is_postgres = connection.dialect.name == "postgresql"
        self._pins = ""

    def begin(self) -> None:
        """Let the transaction read only, limit its time, and remember its settings."""
        allowed = min(self._timeout_seconds, self._max_seconds)
        milliseconds, seconds = int(allowed * 1_000), int(allowed) or 1
        for statement in _READ_ONLY.get(self._connection.dialect.name, ()):
            self._connection.exec_driver_sql(statement.format(milliseconds=milliseconds, seconds=seconds))
        if self._is_postgres:
            shown = ", ".join(f"current_setting('{name}')" for name in _READ_BY)
            values = self._connection.exec_driver_sql(f"select {shown}").one()
            quoted = (str(value).replace("'", "''") for value in values)
            self._pins = ", ".join(
                f"set_config('{name}', '{value}', true)" for name, value in zip(_READ_BY, quoted, strict=True)
            )

    def keep(self) -> None:
        """Set the limit of the next fetch, at most what is left of the whole time, and the settings that the query may have changed."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise UnusableSource(f"the query took longer than {self.longest()}; divide it")
        if self._is_postgres:
            milliseconds = int(min(self._timeout_seconds, left) * 1_000) + 1
            self._connection.exec_driver_sql(
                f"select set_config('statement_timeout', '{milliseconds}', true), {self._pins}",
                execution_options=_NO_PARAMETERS,
            ).close()

    def longest(self) -> str:
        """Tell the limit that ends the query now."""
        is_over = time.monotonic() >= self._ends_at
        return f"{self._max_seconds:,.0f} s altogether" if is_over else f"{self._timeout_seconds:,.0f} s"
