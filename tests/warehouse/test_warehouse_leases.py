"""A lease lives exactly as long as the connection of its holder."""

import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from syrve.warehouse.database import Connection, Warehouse, fetch_one, transaction
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.errors import WarehouseUnavailable
from syrve.warehouse.leases import LEASE_CLASS, lease
from syrve.warehouse.sql_files import sql

ORGANIZATION_ID = "7bc05553-4b68-44e8-b7bc-37be63c6d9e9"
PATIENCE_SECONDS = 30


def is_free(warehouse: Warehouse, number: int) -> bool:
    with warehouse.transaction("try") as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s, %s)", (LEASE_CLASS, number))
        return bool(fetch_one(cursor)[0])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def end_session_of(connection: Connection, warehouse: Warehouse) -> None:
    """End a session as the server does when it loses the client."""
    with warehouse.transaction("terminate") as cursor:
        cursor.execute("select pg_terminate_backend(%s)", (connection.get_backend_pid(),))


def add_identities(warehouse: Warehouse, count: int) -> None:
    with warehouse.transaction("fill the roster") as cursor:
        cursor.execute(
            """
            insert into sync.roster (organization_id, identity_kind, identity_value, source, due_at)
            select %s, 'card', number::text, 'test', now() - interval '1 minute' from generate_series(1, %s) as number
            """,
            (ORGANIZATION_ID, count),
        )


def claim(connection: Connection, number: int, limit: int = 100, seconds: float = 3600) -> int:
    with transaction(connection, "claim") as cursor:
        cursor.execute("select now()")
        cursor.execute(
            sql("roster/claim_new.sql"),
            {
                "organization_id": ORGANIZATION_ID,
                "due_before": fetch_one(cursor)[0],
                "batch_limit": limit,
                "lease": number,
                "lease_class": LEASE_CLASS,
                "lease_seconds": seconds,
                "active_grace_seconds": 3600,
            },
        )
        return len(cursor.fetchall())


@pytest.fixture
def fresh_roster(lasting_warehouse: Warehouse) -> Warehouse:
    """The shared warehouse, with an empty roster."""
    with lasting_warehouse.transaction("empty the roster") as cursor:
        cursor.execute("delete from sync.roster")
    return lasting_warehouse


def test_lease_is_held_for_the_length_of_its_block(fresh_roster: Warehouse) -> None:
    with fresh_roster.connect() as connection:
        with lease(connection) as number:
            assert not is_free(fresh_roster, number)

        assert is_free(fresh_roster, number)


def test_leases_have_numbers_of_their_own(fresh_roster: Warehouse) -> None:
    with fresh_roster.connect() as one, fresh_roster.connect() as two, lease(one) as first, lease(two) as second:
        assert first != second


def test_lease_is_given_back_when_its_block_fails_in_the_middle_of_a_transaction(fresh_roster: Warehouse) -> None:
    with fresh_roster.connect() as connection:
        with suppress(ZeroDivisionError), lease(connection) as number:
            connection.cursor().execute("select 1")
            raise ZeroDivisionError

        assert is_free(fresh_roster, number)


def test_lease_of_a_dead_connection_is_free_at_once(fresh_roster: Warehouse) -> None:
    with fresh_roster.connect() as connection, suppress(WarehouseUnavailable), lease(connection) as number:
        end_session_of(connection, fresh_roster)

        wait_until(lambda: is_free(fresh_roster, number))


def test_holder_learns_that_its_connection_died(fresh_roster: Warehouse) -> None:
    with (
        fresh_roster.connect() as connection,
        pytest.raises(WarehouseUnavailable, match="give a lease back"),
        lease(connection),
    ):
        end_session_of(connection, fresh_roster)


def test_live_lease_keeps_others_away_from_its_identities(fresh_roster: Warehouse) -> None:
    add_identities(fresh_roster, 10)
    with fresh_roster.connect() as one, fresh_roster.connect() as two, lease(one) as first, lease(two) as second:
        assert claim(one, first, limit=6) == 6
        assert claim(two, second) == 4
        assert claim(two, second) == 0


def test_identities_of_a_dead_connection_go_to_the_next_task_at_once(fresh_roster: Warehouse) -> None:
    add_identities(fresh_roster, 10)
    with fresh_roster.connect() as dead, fresh_roster.connect() as living, lease(living) as number:
        with suppress(WarehouseUnavailable), lease(dead) as lost:
            assert claim(dead, lost) == 10
            end_session_of(dead, fresh_roster)
        wait_until(lambda: is_free(fresh_roster, lost))

        assert claim(living, number) == 10


def test_identities_that_are_held_too_long_are_free_even_of_a_live_task(fresh_roster: Warehouse) -> None:
    add_identities(fresh_roster, 3)
    with fresh_roster.connect() as slow, fresh_roster.connect() as other, lease(slow) as first, lease(other) as second:
        assert claim(slow, first, seconds=0) == 3
        assert claim(other, second) == 3


def test_lease_of_another_database_of_the_server_keeps_nobody_away(
    fresh_roster: Warehouse, empty_database_dsn: str
) -> None:
    add_identities(fresh_roster, 1)
    elsewhere = Warehouse(url_from_text(empty_database_dsn))
    with fresh_roster.connect() as gone, lease(gone) as number:
        assert claim(gone, number) == 1
    with elsewhere.connect() as stranger, transaction(stranger, "lock") as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", (LEASE_CLASS, number))
        with fresh_roster.connect() as next_task, lease(next_task) as following:
            assert claim(next_task, following) == 1
