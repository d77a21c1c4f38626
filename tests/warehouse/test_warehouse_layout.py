"""A warehouse whose migrations are not those of this version: newer, older, or with data that a way back would take along."""

from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest
from sqlalchemy.engine import URL

from syrve.warehouse.__main__ import main
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.errors import WarehouseConfigError, WarehouseUnavailable
from syrve.warehouse.layout import known_migrations
from syrve.warehouse.migrate import grant, migrate, missing, roll_back, state

LATER = "9001.later"
NEWEST = known_migrations()[-1]


def execute(dsn: str, *statements: str) -> None:
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def url(warehouse_dsn: str, monkeypatch: pytest.MonkeyPatch) -> URL:
    monkeypatch.setenv("SYRVE_WAREHOUSE_DSN", warehouse_dsn)
    return url_from_text(warehouse_dsn)


@pytest.fixture
def newer(url: URL, warehouse_dsn: str) -> URL:
    """The warehouse as a newer version leaves it: a migration more, a table of its own, and rights on that."""
    execute(
        warehouse_dsn,
        "create table sync.later (a integer)",
        "grant select on sync.later to syrve_loader",
        f"insert into syrve_migrations._yoyo_migration (migration_hash, migration_id) values ('later', '{LATER}')",
        f"comment on schema syrve_migrations is 'Which migrations of the other schemas are applied; the newest is {LATER}'",
    )
    return url


@pytest.mark.parametrize("doing", [migrate, grant, lambda url: roll_back(url, to=None, loses_data=True)])
def test_older_version_changes_nothing_in_a_newer_warehouse(newer: URL, doing: Callable[[URL], object]) -> None:
    with pytest.raises(WarehouseConfigError, match=f"a newer version has migrated this warehouse.*{LATER}") as caught:
        doing(newer)

    assert f"rollback --to {NEWEST}" in str(caught.value)
    found = state(newer)
    assert (found.applied, found.pending, found.unknown) == (known_migrations(), (), (LATER,))
    with Warehouse(newer).transaction("look") as cursor:
        cursor.execute("select has_table_privilege('syrve_loader', 'sync.later', 'select')")
        assert cursor.fetchall() == [(True,)]


@pytest.mark.usefixtures("newer")
def test_status_of_a_newer_warehouse_names_what_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 1

    shown = capsys.readouterr()
    assert f"unknown  {LATER}" in shown.out.splitlines()
    assert "missing" not in shown.out
    assert "a newer version has migrated this warehouse" in shown.err


def test_task_of_an_older_version_waits_for_the_newer(newer: URL, make_login: Callable[[str], str]) -> None:
    theirs = Warehouse(newer.set(username=make_login("syrve_loader")), checks_layout=True)

    with (
        pytest.raises(WarehouseUnavailable, match=f"by a newer version \\(to {LATER}\\).*up to {NEWEST}"),
        theirs.connect(),
    ):
        pass


def test_task_of_a_newer_version_asks_for_the_migrations(url: URL, make_login: Callable[[str], str]) -> None:
    theirs = Warehouse(url.set(username=make_login("syrve_loader")), checks_layout=True)
    roll_back(url, to=known_migrations()[-2])

    for _ in range(2):
        with pytest.raises(WarehouseConfigError, match=f"this version needs {NEWEST}; apply them"), theirs.connect():
            pass
    migrate(url)
    with theirs.transaction("work") as cursor:
        cursor.execute("select count(*) from sync.roster")


def test_database_without_migrations_is_named(empty_database_dsn: str) -> None:
    empty = Warehouse(url_from_text(empty_database_dsn), checks_layout=True)

    with pytest.raises(WarehouseConfigError, match="has migrations up to none"), empty.connect():
        pass


def test_way_back_keeps_rows_unless_told_to_lose_them(
    url: URL, warehouse_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(warehouse_dsn, "insert into sync.refresh_policy (organization_id) values (gen_random_uuid())")
    back = ["rollback", "--to", "0003.mirror-history"]

    assert main(back) == 1

    assert "the rows of sync.refresh_policy would be lost" in capsys.readouterr().err
    assert state(url).pending == ()
    assert missing(url) == [] or all(not each.is_needed for each in missing(url))
    assert main([*back, "--lose-data"]) == 0
    assert state(url).applied[-1] == "0003.mirror-history"
    assert main(["migrate"]) == 0
    with Warehouse(url, checks_layout=True).transaction("look") as cursor:
        cursor.execute("select count(*) from sync.refresh_policy")
        assert cursor.fetchall() == [(0,)]
