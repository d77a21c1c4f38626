"""The URL of the warehouse, from whatever way a connection is written."""

import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import URL

from syrve.warehouse.dsn import DRIVER, url_from_parts, url_from_text
from syrve.warehouse.errors import WarehouseConfigError


def url(**parts: Any) -> URL:
    return URL.create(DRIVER, **parts)


FULL = url(username="loader", password="p@ss/w:rd", host="db.test", port=5433, database="warehouse")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://loader:p%40ss%2Fw%3Ard@db.test:5433/warehouse",
        "postgres://loader:p%40ss%2Fw%3Ard@db.test:5433/warehouse",
        "postgresql+psycopg2://loader:p%40ss%2Fw%3Ard@db.test:5433/warehouse",
        "postgresql+asyncpg://loader:p%40ss%2Fw%3Ard@db.test:5433/warehouse",
        json.dumps(
            {
                "conn_type": "postgres",
                "host": "db.test",
                "port": 5433,
                "login": "loader",
                "password": "p@ss/w:rd",
                "schema": "warehouse",
            }
        ),
        ' {"host": "db.test", "port": "5433", "login": "loader", "password": "p@ss/w:rd", "schema": "warehouse"}',
    ],
)
def test_every_way_to_write_a_connection_gives_the_same_url_and_driver(text: str) -> None:
    assert url_from_text(text) == FULL


SOCKET = url(username="loader", database="warehouse", query={"host": "/run/postgres"})


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://loader@/warehouse?host=/run/postgres",
        "postgresql://loader@/warehouse?host=%2Frun%2Fpostgres",
        "postgres://loader@%2Frun%2Fpostgres/warehouse",
        "postgresql:///?host=/run/postgres&user=loader&dbname=warehouse",
        json.dumps({"conn_type": "postgres", "host": "/run/postgres", "login": "loader", "schema": "warehouse"}),
    ],
)
def test_socket_folder_is_understood_wherever_it_stands(text: str) -> None:
    assert url_from_text(text) == SOCKET


EXTRA = {"sslmode": "require", "connect_timeout": 3}


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://db.test/warehouse?sslmode=require&connect_timeout=3",
        "postgres://db.test/warehouse?__extra__=" + quote(json.dumps(EXTRA)),
        json.dumps({"host": "db.test", "schema": "warehouse", "extra": EXTRA}),
        json.dumps({"host": "db.test", "schema": "warehouse", "extra": json.dumps(EXTRA)}),
    ],
)
def test_extras_become_options_of_the_driver(text: str) -> None:
    assert url_from_text(text).query == {"sslmode": "require", "connect_timeout": "3"}


def test_extras_for_airflows_own_hook_are_left_out() -> None:
    found = url_from_parts(
        host="db.test",
        port=None,
        login=None,
        password=None,
        database="d",
        extra={"cursor": "dictcursor", "sslmode": "prefer"},
    )

    assert found.query == {"sslmode": "prefer"}


@pytest.mark.parametrize("name", ["ssl_mode", "sslmod", "ssl", "iam", "database", "host=x port", "", "sslmode\0"])
def test_option_that_postgres_does_not_know_is_refused(name: str) -> None:
    with pytest.raises(WarehouseConfigError, match="which Postgres does not know") as refused:
        url_from_text(json.dumps({"host": "db.test", "schema": "warehouse", "extra": {name: CANARY}}))
    assert CANARY not in str(refused.value)


def test_options_that_guard_the_connection_are_kept() -> None:
    guards = {
        "sslmode": "verify-full",
        "sslcrl": "/c",
        "ssl_min_protocol_version": "TLSv1.3",
        "require_auth": "scram-sha-256",
    }
    assert url_from_text(json.dumps({"host": "db.test", "extra": guards})).query == guards


CANARY = "canary"
WRONG: list[tuple[str, str]] = [
    ("", "must be a Postgres connection"),
    (f"mysql://user:{CANARY}@db.test/warehouse", "must be a Postgres connection"),
    (f"host=db.test password={CANARY}", "must be a Postgres connection"),
    (f'["{CANARY}"]', "must be a Postgres connection"),
    (f"postgresql://[::1/{CANARY}", "cannot be read"),
    (f"postgresql://user:{CANARY}@db.test:port/warehouse", "cannot be read"),
    (f"postgresql://user:{CANARY}@db.test:99999/warehouse", "port"),
    (f"postgresql://user:{CANARY}@db.test/warehouse?__extra__=[1]", "extra"),
    (f"postgresql://user:{CANARY}@db.test/warehouse?__extra__=x", "extra"),
    (f'{{"password": "{CANARY}"', "not valid JSON"),
    ('{"a":' * 100_000, "not valid JSON"),
    (f'{{"conn_type": "syrve", "password": "{CANARY}"}}', "type 'syrve'; it must be postgres"),
    (f'{{"host": 5, "password": "{CANARY}"}}', "field host"),
    (f'{{"login": ["{CANARY}"]}}', "field login"),
    (f'{{"password": {{"a": "{CANARY}"}}}}', "field password"),
    ('{"schema": 7}', "field schema"),
    (f'{{"port": "{CANARY}"}}', "port"),
    ('{"port": [5432]}', "port"),
    ('{"port": -1}', "port"),
    ('{"port": true}', "port"),
    (f'{{"extra": ["{CANARY}"]}}', "extra"),
    (f'{{"extra": "{CANARY}"}}', "extra"),
    ('{"extra": 7}', "extra"),
]


@pytest.mark.parametrize(("text", "problem"), WRONG, ids=[problem for _, problem in WRONG])
def test_connection_that_cannot_be_used_is_told_without_its_secrets(text: str, problem: str) -> None:
    with pytest.raises(WarehouseConfigError) as caught:
        url_from_text(text)

    assert problem in str(caught.value)
    assert CANARY not in str(caught.value)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(login=TEXT, password=TEXT)
def test_any_password_survives_the_way_through_a_url(login: str, password: str) -> None:
    found = url_from_text(f"postgresql://{quote(login, safe='')}:{quote(password, safe='')}@db.test/warehouse")

    assert (found.username, found.password, found.host) == (login, password, "db.test")


@given(text=st.text(max_size=40) | st.text(max_size=40).map(lambda rest: f"postgresql://{rest}"))
def test_no_text_whatever_gives_anything_but_a_url_or_a_config_error(text: str) -> None:
    with suppress(WarehouseConfigError):
        assert url_from_text(text).drivername == DRIVER


def test_password_does_not_show_in_the_url() -> None:
    assert "p@ss" not in repr(FULL) + str(FULL)
