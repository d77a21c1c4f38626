"""The sessions that tests keep are as good as new ones: nothing of the last use is left, and none that is dead is given out."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import pytest

from fixtures.kept_sessions import MOST_IDLE, KeptSessions
from fixtures.waiting import wait_until
from fixtures.wallets import in_another_process
from syrve.warehouse.database import Connection, fetch_one
from syrve.warehouse.dsn import url_from_text

LEFT = """
select
    pg_backend_pid(), to_regclass('pg_temp.mine') is null, current_setting('work_mem'),
    (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())
"""


@pytest.fixture
def kept(lasting_dsn: str) -> Iterator[KeptSessions]:
    with closing(KeptSessions(url_from_text(lasting_dsn))) as sessions:
        yield sessions


def backend(connection: Connection) -> int:
    return connection.info.backend_pid


def test_session_is_kept_and_nothing_of_its_last_use(kept: KeptSessions) -> None:
    with kept.connect() as connection:
        first = backend(connection)
        with connection.cursor() as cursor:
            cursor.execute("show work_mem")
            (usual,) = fetch_one(cursor)
            cursor.execute("create temp table mine (id int); set work_mem = '77MB'; select pg_advisory_lock(77)")
        connection.commit()
        connection.set_session("SERIALIZABLE", readonly=True, deferrable=True, autocommit=True)

    with kept.connect() as connection, connection.cursor() as cursor:
        cursor.execute(LEFT)
        assert fetch_one(cursor) == (first, True, usual, 0)
        assert (connection.autocommit, connection.readonly, connection.deferrable) == (False, None, None)
        assert connection.isolation_level is None
        cursor.execute("create table public.by_a_kept_session (id int)")


def test_open_transaction_of_a_kept_session_is_lost(kept: KeptSessions) -> None:
    with kept.connect() as connection, connection.cursor() as cursor:
        cursor.execute("create table public.of_a_lost_transaction (id int)")

    with kept.connect() as connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('public.of_a_lost_transaction') is null")
        assert fetch_one(cursor) == (True,)


def test_two_at_once_have_sessions_of_their_own(kept: KeptSessions) -> None:
    with kept.connect() as one, kept.connect() as two:
        assert backend(one) != backend(two)


def test_threads_share_sessions_and_leave_few_idle(kept: KeptSessions) -> None:
    def use(_: int) -> int:
        with kept.connect() as connection, connection.cursor() as cursor:
            cursor.execute("select pg_backend_pid()")
            return int(fetch_one(cursor)[0])

    with ThreadPoolExecutor(12) as pool:
        used = set(pool.map(use, range(120)))

    left = "select count(*) from pg_stat_activity where pid = any(%s)"
    with kept.connect() as connection, connection.cursor() as cursor:
        assert backend(connection) in used
        connection.autocommit = True  # what is seen of others stays as it is within a transaction

        def are_few() -> bool:
            cursor.execute(left, [list(used)])
            return bool(fetch_one(cursor)[0] <= MOST_IDLE)

        wait_until(are_few)


def test_terminated_session_is_replaced(kept: KeptSessions, lasting_dsn: str) -> None:
    with kept.connect() as connection:
        first = backend(connection)
    with closing(psycopg2.connect(lasting_dsn)) as other, other.cursor() as cursor:
        cursor.execute("select pg_terminate_backend(%s, 30000)", [first])
        assert fetch_one(cursor) == (True,)

    with kept.connect() as connection:
        assert backend(connection) != first


def test_fork_uses_no_session_of_its_parent(kept: KeptSessions) -> None:
    with kept.connect() as connection:
        first = backend(connection)

    def connect_anew() -> None:
        with kept.connect() as connection:
            assert backend(connection) != first

    assert in_another_process(connect_anew) == 0
    with kept.connect() as connection:
        assert backend(connection) == first
