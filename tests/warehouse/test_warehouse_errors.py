"""What is told when Postgres refuses: where and what to do, and never a value."""

import pickle
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from syrve.warehouse.copy_text import copy_lines
from syrve.warehouse.database import Cursor, Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.errors import WarehouseConfigError, WarehouseError, WarehouseUnavailable

CANARY = "canary-79001234567"


def everything_told_by(error: BaseException) -> str:
    return "\n".join(
        [
            str(error),
            repr(error),
            repr(vars(error)),
            repr(pickle.loads(pickle.dumps(error))),
            *traceback.format_exception(error),
        ]
    )


def refusal(warehouse: Warehouse, doing: Callable[[Cursor], object]) -> WarehouseError:
    with pytest.raises(WarehouseError) as caught, warehouse.transaction("do something") as cursor:
        doing(cursor)
    return caught.value


def insert_twice(cursor: Cursor) -> None:
    cursor.execute("create temporary table known (phone text constraint one_phone unique)")
    for _ in range(2):
        cursor.execute("insert into known values (%s)", (CANARY,))


def insert_where_null_is_not_allowed(cursor: Cursor) -> None:
    cursor.execute("create temporary table known (phone text, name text not null)")
    cursor.execute("insert into known values (%s, null)", (CANARY,))


def insert_against_a_check(cursor: Cursor) -> None:
    cursor.execute("create temporary table known (phone text constraint a_phone check (phone ~ '^[0-9]+$'))")
    cursor.execute("insert into known values (%s)", (CANARY,))


def copy_words_into_days(cursor: Cursor) -> None:
    cursor.execute("create temporary table known (day date)")
    copy_lines(cursor, "known", ["day"], [CANARY])


def copy_too_many_columns(cursor: Cursor) -> None:
    cursor.execute("create temporary table known (phone text)")
    copy_lines(cursor, "known", ["phone"], [f"{CANARY}\t{CANARY}"])


def copy_what_is_no_json(cursor: Cursor) -> None:
    cursor.execute("create temporary table known (document jsonb)")
    copy_lines(cursor, "known", ["document"], [f'{{"phone": {CANARY}'])


def say_nonsense(cursor: Cursor) -> None:
    cursor.execute(f"select '{CANARY}' frmo nowhere wehre")


def cast_to_a_number(cursor: Cursor) -> None:
    cursor.execute("select %s::integer", (CANARY,))


REFUSALS: list[tuple[Callable[[Cursor], object], str]] = [
    (insert_twice, "do something: UniqueViolation (23505) on table known, constraint one_phone"),
    (insert_where_null_is_not_allowed, "do something: NotNullViolation (23502) on table known, column name"),
    (insert_against_a_check, "do something: CheckViolation (23514) on table known, constraint a_phone"),
    (copy_words_into_days, "do something: InvalidDatetimeFormat (22007)"),
    (copy_too_many_columns, "do something: BadCopyFileFormat (22P04)"),
    (copy_what_is_no_json, "do something: InvalidTextRepresentation (22P02)"),
    (say_nonsense, "do something: SyntaxError (42601)"),
    (cast_to_a_number, "do something: InvalidTextRepresentation (22P02)"),
]


@pytest.mark.parametrize(("doing", "told"), REFUSALS, ids=[doing.__name__ for doing, _ in REFUSALS])
def test_refusal_says_what_and_where_and_holds_no_value(
    lasting_warehouse: Warehouse, doing: Callable[[Cursor], object], told: str
) -> None:
    error = refusal(lasting_warehouse, doing)

    assert type(error) is WarehouseError
    assert str(error) == told
    assert CANARY not in everything_told_by(error)
    assert error.retry_after_seconds is None


@pytest.mark.parametrize(
    ("doing", "told"),
    [
        (lambda cursor: cursor.execute("-- nothing"), "(ProgrammingError), Postgres did not: a defect"),
        (lambda cursor: cursor.execute("select %s", (object(),)), "(ProgrammingError), Postgres did not: a defect"),
        (lambda cursor: (cursor.execute("set jit = off"), cursor.fetchone()), "(ProgrammingError), Postgres did not"),
    ],
    ids=["empty", "value of no type", "no rows"],
)
def test_what_the_driver_refuses_is_no_lost_connection(
    lasting_warehouse: Warehouse, doing: Callable[[Cursor], object], told: str
) -> None:
    error = refusal(lasting_warehouse, doing)

    assert type(error) is WarehouseError
    assert told in str(error)
    assert "no connection" not in str(error)
    assert error.retry_after_seconds is None


@pytest.mark.parametrize(
    "statement",
    ["select 1 from syrve.no_such_table", "select no_such_column from syrve.customer", "select 1 from nowhere.table1"],
)
def test_missing_table_column_or_schema_says_to_migrate(lasting_warehouse: Warehouse, statement: str) -> None:
    error = refusal(lasting_warehouse, lambda cursor: cursor.execute(statement))

    assert type(error) is WarehouseConfigError
    assert str(error).endswith("apply the migrations: python -m syrve.warehouse migrate")


def raise_state(state: str) -> str:
    return f"do $$ begin raise exception using errcode = '{state}', message = '{CANARY}', detail = '{CANARY}'; end $$"


@pytest.mark.parametrize("state", ["40001", "40P01", "53300", "53200", "55P03", "57014", "58030", "08006"])
def test_what_may_pass_by_itself_is_worth_a_retry(lasting_warehouse: Warehouse, state: str) -> None:
    error = refusal(lasting_warehouse, lambda cursor: cursor.execute(raise_state(state)))

    assert type(error) is WarehouseUnavailable
    assert error.retry_after_seconds is not None
    assert CANARY not in everything_told_by(error)


@pytest.mark.parametrize("state", ["53100", "22012", "25006", "XX000"])
def test_what_stays_as_it_is_is_not_worth_a_retry(lasting_warehouse: Warehouse, state: str) -> None:
    error = refusal(lasting_warehouse, lambda cursor: cursor.execute(raise_state(state)))

    assert type(error) is WarehouseError
    assert CANARY not in everything_told_by(error)


@pytest.mark.parametrize(
    ("state", "advice"), [("42501", "syrve_loader"), ("28000", "user, password"), ("3D000", "database")]
)
def test_what_the_connection_must_change_is_told(lasting_warehouse: Warehouse, state: str, advice: str) -> None:
    error = refusal(lasting_warehouse, lambda cursor: cursor.execute(raise_state(state)))

    assert type(error) is WarehouseConfigError
    assert advice in str(error)
    assert CANARY not in everything_told_by(error)


def wrong_addresses(dsn: str, folder: Path) -> dict[str, URL]:
    right = url_from_text(dsn).set(username="postgres", password=CANARY)
    return {
        "no such database": right.set(database=f"no_{CANARY}"),
        "no such socket": right.set(query={"host": str(folder)}),
        "no such role": right.set(username=f"no_{CANARY}"),
    }


@pytest.mark.parametrize("case", ["no such database", "no such socket", "no such role"])
def test_server_that_cannot_be_reached_is_told_without_the_secrets(lasting_dsn: str, tmp_path: Path, case: str) -> None:
    warehouse = Warehouse(wrong_addresses(lasting_dsn, tmp_path)[case])

    with (
        pytest.raises(WarehouseUnavailable, match="check that the server is up and the connection") as caught,
        warehouse.connect(),
    ):
        pass

    assert CANARY not in everything_told_by(caught.value)


def test_connection_that_dies_in_the_middle_is_worth_a_retry(lasting_warehouse: Warehouse) -> None:
    error = refusal(lasting_warehouse, lambda cursor: cursor.execute("select pg_terminate_backend(pg_backend_pid())"))

    assert type(error) is WarehouseUnavailable


def test_transaction_that_fails_leaves_nothing_behind(lasting_warehouse: Warehouse) -> None:
    with suppress(ZeroDivisionError), lasting_warehouse.transaction("fail") as cursor:
        cursor.execute("create table public.left_behind ()")
        raise ZeroDivisionError

    with lasting_warehouse.transaction("look") as cursor:
        cursor.execute("select to_regclass('public.left_behind')")
        assert cursor.fetchone() == (None,)


def test_connection_is_closed_with_its_block(lasting_warehouse: Warehouse) -> None:
    with lasting_warehouse.connect() as connection:
        assert connection.closed == 0

    assert connection.closed != 0


def test_warehouse_shows_no_password(lasting_dsn: str) -> None:
    warehouse = Warehouse(url_from_text(lasting_dsn).set(password=CANARY))

    assert CANARY not in repr(warehouse.url) + repr(warehouse.engine)
