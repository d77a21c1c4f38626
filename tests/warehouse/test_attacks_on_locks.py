"""What people could hold or write without a right of a table saying so: locks, large objects, the WAL; and who waits for them how long."""

from contextlib import closing

import psycopg2
import psycopg2.errors
import pytest

from fixtures.targets import PEOPLE, RELATIONS, ROLES, Target
from syrve.warehouse import database
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.errors import WarehouseUnavailable
from syrve.warehouse.grants import LOADER

ADVISORY_LOCKS = """
    select format('%s(%s)', proname, case pronargs when 1 then '1' else '1, 1' end) from pg_proc
    where pronamespace = 'pg_catalog'::regnamespace and proname ~ 'advisory' and proname !~ 'unlock'
"""
TABLES = RELATIONS.replace("'r', 'p', 'v'", "'r', 'p'")

WHOLE_TABLES = {"syrve_crm": {"crm.customer", "crm.customer_card", "crm.customer_category", "crm.customer_program"}}
"""Tables that a role may lock against everybody, since it may delete from them: those that are its own."""

OF_OPS = {
    "crm.conflict",
    "crm.field_policy",
    "sync.call_budget",
    "sync.refresh_policy",
    "sync.reject",
    "wallet.finding",
}
ROWS = WHOLE_TABLES | {"syrve_ops": OF_OPS, "syrve_ops_clear": OF_OPS}
"""Tables of which a role may lock rows, since it may change some column of them: an open transaction holds them, however it is granted."""


@pytest.mark.parametrize("role", PEOPLE)
def test_no_person_takes_a_lock_that_the_ledger_waits_for(target: Target, role: str) -> None:
    calls = [call for (call,) in target.run(None, ADVISORY_LOCKS)]

    assert len(calls) == 16
    assert [call for call in calls if not target.refuses(role, f"select {call}")] == []
    assert target.refuses(role, "begin", "lock table analytics.customer in access exclusive mode")
    assert target.refuses(role, "select * from wallet.hold for update")


@pytest.mark.parametrize("role", PEOPLE)
def test_locks_of_tables_are_those_that_are_listed(target: Target, role: str) -> None:
    tables = [name for (name,) in target.run(None, TABLES)]
    modes = ("share update exclusive", "share", "share row exclusive", "exclusive", "access exclusive")

    whole = {
        name
        for name in tables
        for mode in modes
        if not target.refuses(role, "begin", f"lock table {name} in {mode} mode")
    }
    rows = {name for name in tables if not target.refuses(role, f"select 1 from {name} limit 1 for update")}

    assert whole == WHOLE_TABLES.get(role, set())
    assert rows == ROWS.get(role, set())


def test_loader_takes_its_locks(target: Target) -> None:
    assert target.run(LOADER, "select pg_try_advisory_xact_lock(1), pg_try_advisory_lock(1, 1)") == [(True, True)]


def test_task_gives_up_on_a_lock_and_says_why(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOCK_WAIT_SECONDS", 1)
    loader = Warehouse(url_from_text(target.dsn(LOADER)))
    with closing(psycopg2.connect(target.dsn("syrve_crm"))) as held, held.cursor() as cursor:
        cursor.execute("lock table crm.customer in access exclusive mode")

        with (
            pytest.raises(
                WarehouseUnavailable, match=r"read desired states: LockNotAvailable.*another session holds a lock"
            ),
            loader.transaction("read desired states") as reading,
        ):
            reading.execute("select count(*) from crm.customer")


def test_task_gives_up_on_an_advisory_lock(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOCK_WAIT_SECONDS", 1)
    loader = Warehouse(url_from_text(target.dsn(LOADER)))
    with closing(psycopg2.connect(target.dsn())) as held, held.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(77)")

        with pytest.raises(WarehouseUnavailable), loader.transaction("lock") as waiting:
            waiting.execute("select pg_advisory_xact_lock(77)")


WRITING = (
    "select lo_create(0)",
    "select lo_creat(-1)",
    "select lo_from_bytea(0, 'x')",
    "select pg_logical_emit_message(false, 'a', 'b')",
    "select pg_logical_emit_message(true, 'a', 'b'::bytea)",
)


@pytest.mark.parametrize("role", ROLES)
def test_no_role_writes_beside_the_tables(target: Target, role: str) -> None:
    assert [statement for statement in WRITING if not target.refuses(role, statement)] == []


SUSPECT = """
    select distinct proname::text from pg_proc
    where pronamespace = 'pg_catalog'::regnamespace and provolatile = 'v' and has_function_privilege('{login}', oid, 'execute')
        and proname ~ 'lock|^lo|emit|notify|slot|snapshot|cancel|terminate|oid$|import|restore|clear|reset|switch|promote|backup|log'
"""
HARMLESS = {
    # of large objects that exist: there are none, and each has rights of its own
    *("lo_close", "lo_get", "lo_lseek", "lo_lseek64", "lo_open", "lo_put", "lo_tell", "lo_tell64", "lo_truncate"),
    *("lo_truncate64", "lo_unlink", "loread", "lowrite"),
    # give up one's own
    *("pg_advisory_unlock", "pg_advisory_unlock_all", "pg_advisory_unlock_shared", "pg_stat_clear_snapshot"),
    # show which session waits for which
    *("pg_blocking_pids", "pg_isolation_test_session_is_blocked", "pg_lock_status", "pg_safe_snapshot_blocking_pids"),
    *("pg_stat_get_xact_blocks_fetched", "pg_stat_get_xact_blocks_hit", "clock_timestamp"),
    # for sessions of one's own, and for superusers, as test_no_role_gets_out_of_the_database shows
    *("pg_cancel_backend", "pg_terminate_backend", "pg_export_snapshot", "pg_nextoid", "pg_import_system_collations"),
    "pg_rotate_logfile_old",
    # need REPLICATION, which no role of ours has
    *("pg_copy_logical_replication_slot", "pg_copy_physical_replication_slot", "pg_create_logical_replication_slot"),
    *("pg_create_physical_replication_slot", "pg_drop_replication_slot", "pg_replication_slot_advance"),
    *("pg_logical_slot_get_binary_changes", "pg_logical_slot_get_changes", "pg_logical_slot_peek_binary_changes"),
    *("pg_logical_slot_peek_changes", "pg_sync_replication_slots", "binary_upgrade_logical_slot_has_caught_up"),
    # refused while the server runs, or need the ownership or MAINTAIN of a table
    *("binary_upgrade_set_next_array_pg_type_oid", "binary_upgrade_set_next_heap_pg_class_oid"),
    *("binary_upgrade_set_next_index_pg_class_oid", "binary_upgrade_set_next_multirange_array_pg_type_oid"),
    *("binary_upgrade_set_next_multirange_pg_type_oid", "binary_upgrade_set_next_pg_authid_oid"),
    *("binary_upgrade_set_next_pg_enum_oid", "binary_upgrade_set_next_pg_tablespace_oid"),
    *("binary_upgrade_set_next_pg_type_oid", "binary_upgrade_set_next_toast_pg_class_oid"),
    *("pg_clear_attribute_stats", "pg_clear_relation_stats", "pg_restore_attribute_stats", "pg_restore_relation_stats"),
    # NOTIFY is a statement of everybody's, too; nobody here listens
    "pg_notify",
}
"""Functions of Postgres that everybody may call and whose names sound like writing or holding: what each cannot do here."""


@pytest.mark.parametrize("role", PEOPLE)
def test_functions_of_everybody_are_known_to_do_no_harm(target: Target, role: str) -> None:
    found = {name for (name,) in target.run(None, SUSPECT.format(login=target.logins[role]))}

    assert found - HARMLESS == set()
