"""Migrations on a real Postgres: up, described, down to nothing, and up again."""

import itertools
from typing import Any

import pytest

from syrve.warehouse.__main__ import main
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.errors import WarehouseConfigError
from syrve.warehouse.grants import SCHEMAS
from syrve.warehouse.migrate import migrate, roll_back, state
from syrve.warehouse.sql_files import sql_folder

IDS = tuple(
    sorted(
        path.name.removesuffix(".sql")
        for path in (sql_folder() / "migrations").glob("*.sql")
        if not path.name.endswith(".rollback.sql")
    )
)


@pytest.fixture
def empty(empty_database_dsn: str) -> Warehouse:
    return Warehouse(url_from_text(empty_database_dsn))


@pytest.fixture
def command_line(empty_database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYRVE_WAREHOUSE_DSN", empty_database_dsn)


def rows(warehouse: Warehouse, query: str) -> list[tuple[Any, ...]]:
    with warehouse.transaction("test") as cursor:
        cursor.execute(query, {"schemas": list(SCHEMAS)})
        return cursor.fetchall()


def schemas(warehouse: Warehouse) -> set[str]:
    found = rows(warehouse, "select nspname from pg_namespace where nspname = any(%(schemas)s)")
    return {name for (name,) in found}


def test_every_migration_has_its_way_back() -> None:
    folder = sql_folder() / "migrations"

    assert IDS
    assert all((folder / f"{name}.rollback.sql").is_file() for name in IDS)


def test_every_migration_has_a_number_of_its_own_and_follows_the_one_before() -> None:
    assert [name.partition(".")[0] for name in IDS] == [f"{number:04}" for number in range(1, len(IDS) + 1)]
    for before, name in itertools.pairwise(IDS):
        text = (sql_folder() / "migrations" / f"{name}.sql").read_text(encoding="utf-8")
        assert text.startswith(f"-- depends: {before}\n"), name


def test_no_migration_grants_rights() -> None:
    for path in (sql_folder() / "migrations").glob("*.sql"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if line.lstrip().startswith("grant ")] == [], f"{path.name}: see sql/grants"


def test_migrate_applies_everything_once(empty: Warehouse) -> None:
    assert state(empty.url).pending == IDS

    assert tuple(migrate(empty.url)) == IDS

    assert migrate(empty.url) == []
    assert (state(empty.url).applied, state(empty.url).pending) == (IDS, ())
    assert schemas(empty) == set(SCHEMAS)


def test_unknown_target_takes_nothing_back(empty: Warehouse) -> None:
    migrate(empty.url)

    with pytest.raises(WarehouseConfigError) as caught:
        roll_back(empty.url, to="9999")

    assert str(caught.value) == "there is no migration '9999'; see: python -m syrve.warehouse status"
    assert state(empty.url).applied == IDS


def test_way_back_of_an_empty_database_has_nothing_to_do(empty: Warehouse) -> None:
    assert roll_back(empty.url, to=None) == []


def test_every_schema_is_described(lasting_warehouse: Warehouse) -> None:
    query = """
        select nspname from pg_namespace
        where nspname = any(%(schemas)s) and obj_description(oid, 'pg_namespace') is null
    """

    assert rows(lasting_warehouse, query) == []


def test_every_table_view_and_sequence_is_described(lasting_warehouse: Warehouse) -> None:
    query = """
        select nspname, relname from pg_class join pg_namespace on pg_namespace.oid = relnamespace
        where nspname = any(%(schemas)s) and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
            and obj_description(pg_class.oid, 'pg_class') is null
            and not exists (select from pg_depend where objid = pg_class.oid and deptype = 'i')
    """

    assert rows(lasting_warehouse, query) == []


def test_every_column_is_described(lasting_warehouse: Warehouse) -> None:
    query = """
        select nspname, relname, attname from pg_class
        join pg_namespace on pg_namespace.oid = relnamespace
        join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
        where nspname = any(%(schemas)s) and relkind in ('r', 'p', 'v', 'm', 'f') and not relispartition
            and col_description(pg_class.oid, attnum) is null
    """

    assert rows(lasting_warehouse, query) == []


def test_connections_speak_utc(lasting_warehouse: Warehouse) -> None:
    assert rows(lasting_warehouse, "select current_setting('timezone')") == [("UTC",)]


@pytest.mark.usefixtures("command_line")
def test_command_line_tells_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    def output(*arguments: str) -> list[str]:
        assert main(arguments) == 0
        return capsys.readouterr().out.splitlines()

    assert output("migrate") == [f"applied  {name}" for name in IDS]
    assert output("migrate") == ["nothing to do: the warehouse is up to date"]
    assert output("grants")[0] == "nothing to do: every right is as stated"
    assert output("rollback", "--to", IDS[0]) == [f"taken back  {name}" for name in IDS[:0:-1]]
    assert output("status") == [f"applied  {IDS[0]}", *(f"pending  {name}" for name in IDS[1:])]
    assert output("rollback", "--all") == [f"taken back  {IDS[0]}"]
    assert output("rollback", "--all") == ["nothing to take back"]


@pytest.mark.usefixtures("command_line")
def test_command_line_fails_with_one_line_on_an_unknown_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rollback", "--to", "9999"]) == 1

    assert len(capsys.readouterr().err.splitlines()) == 1


def test_command_line_takes_nothing_back_without_being_told_how_far(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["rollback"])

    assert caught.value.code == 2
    assert "--to --all" in capsys.readouterr().err


def test_command_line_without_a_connection_names_the_variables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("SYRVE_WAREHOUSE_DSN", "AIRFLOW_CONN_SYRVE_WAREHOUSE"):
        monkeypatch.delenv(name, raising=False)

    assert main(["migrate"]) == 1

    told = capsys.readouterr().err
    assert "SYRVE_WAREHOUSE_DSN" in told
    assert "AIRFLOW_CONN_SYRVE_WAREHOUSE" in told
