"""Attacks as the DAGs' role, the most trusted one: it neither rewrites what was nor decides for a person nor becomes the owner."""

from contextlib import closing
from uuid import uuid4

import psycopg2
import psycopg2.errors
import pytest

from fixtures.targets import RELATIONS, ROLES, Target
from syrve.warehouse.grants import LOADER, SCHEMAS

FUNCTIONS = f"""
    select oid::regprocedure::text from pg_proc where pronamespace::regnamespace::text = any(array{list(SCHEMAS)}) order by 1
"""
CHANGING = (
    "alter function {name} owner to current_user",
    "alter function {name} security definer",
    "alter function {name} set search_path = pg_temp",
    "drop function {name}",
    "comment on function {name} is ''",
)

APPEND_ONLY = (
    "sync.approval",
    "sync.approval_event",
    "sync.audit",
    "sync.call_budget_move",
    "sync.planned_content",
    "sync.planning_start",
    "crm.push",
    "syrve.customer_version",
    "syrve.wallet_balance_version",
    "syrve.card_version",
    "syrve.customer_category_version",
    "privacy.erasure",
    "wallet.payment",
    "wallet.payment_event",
    "wallet.operation",
    "wallet.operation_event",
    "wallet.contested_ending",
    "wallet.transaction",
    "wallet.operation_look",
    "wallet.payment_order_version",
    "wallet.finding_version",
    "wallet.release",
    "wallet.release_event",
    "wallet.fence",
    "wallet.campaign_version",
    "wallet.campaign_row",
    "wallet.notification",
)
BY_TRIGGERS = (
    "wallet.hold",
    "wallet.unsettled_operation",
    "wallet.touched",
    "wallet.order_in_doubt",
    "wallet.released_payment",
)
WRITTEN_BY_ITSELF = (
    ("sync.approval", "asked_at"),
    ("sync.approval", "recorded_by"),
    ("sync.approval_event", "occurred_at"),
    ("sync.approval_event", "recorded_by"),
    ("sync.planning_start", "started_at"),
    ("privacy.erasure", "asked_at"),
    ("privacy.erasure", "erased_at"),
    ("privacy.erasure", "pseudonym"),
    ("crm.push", "recorded_at"),
    ("wallet.payment_event", "occurred_at"),
    ("wallet.operation", "recorded_at"),
    ("wallet.operation_event", "recorded_at"),
    ("wallet.payment_order_version", "recorded_at"),
    ("wallet.finding_version", "recorded_by"),
    ("wallet.release_event", "occurred_at"),
    ("wallet.release_event", "recorded_by"),
    ("wallet.epoch", "begun_at"),
    ("wallet.epoch", "recorded_by"),
    ("wallet.fence", "closed_at"),
    ("wallet.fence", "recorded_by"),
    ("wallet.fence_lift", "recorded_by"),
    ("sync.breaker", "decided_by"),
    ("sync.held_back", "let_through_at"),
)


def test_loader_alters_no_function(target: Target) -> None:
    names = [name for (name,) in target.run(None, FUNCTIONS)]

    changed = [
        statement.format(name=name)
        for name in names
        for statement in CHANGING
        if not target.refuses(LOADER, statement.format(name=name))
    ]

    assert len(names) > 20
    assert changed == []


def test_loader_reads_nothing_secret(target: Target) -> None:
    assert target.refuses(LOADER, "select * from secret.hash_key")
    assert target.refuses(LOADER, "select * from analytics.customer")
    assert target.refuses(LOADER, "select pg_read_binary_file(pg_relation_filepath('secret.hash_key'))")
    assert target.refuses(LOADER, "create view pg_temp.mine as select * from secret.hash_key", "table pg_temp.mine")


def test_loader_shadows_nothing_that_runs_as_the_owner(target: Target) -> None:
    """Temporary tables and types by the names of ours, and casts of them, are the loader's own and reach no owner's function."""
    login = target.logins[LOADER]
    own = f"""
        create function pg_temp.b(text) returns uuid language plpgsql as $$
        begin execute 'alter role {login} superuser'; return gen_random_uuid(); end $$;
        create domain pg_temp.uuid as text;
        create temp table touched (organization_id text, order_id text, hold_id text);
        create temp table roster (identity_value text)
    """
    follow = f"select wallet.follow_orders('{uuid4()}'), * from crm.prune_push(30, 365)"

    target.run(LOADER, own, "set search_path = pg_temp, wallet, sync, crm", follow)

    assert target.run(None, f"select rolsuper from pg_roles where rolname = '{login}'") == [(False,)]


@pytest.mark.parametrize("name", APPEND_ONLY)
def test_loader_rewrites_no_history(target: Target, name: str) -> None:
    [(column,)] = target.run(
        None, f"select attname from pg_attribute where attrelid = '{name}'::regclass and attnum = 2"
    )

    assert target.refuses(LOADER, f"update {name} set {column} = {column}")
    assert target.refuses(LOADER, f"delete from {name}")
    assert target.refuses(LOADER, f"truncate {name}")
    assert target.refuses(LOADER, f"select 1 from {name} for update")


@pytest.mark.parametrize("name", BY_TRIGGERS)
def test_loader_writes_nothing_that_triggers_keep(target: Target, name: str) -> None:
    assert target.refuses(LOADER, f"insert into {name} default values")
    assert target.refuses(LOADER, f"delete from {name}")


def test_append_only_tables_are_all_of_those_without_update(target: Target) -> None:
    names = [name for (name,) in target.run(None, RELATIONS.replace("'r', 'p', 'v'", "'r', 'p'"))]
    login = target.logins[LOADER]
    query = "select has_any_column_privilege('{login}', '{name}', 'insert'), has_any_column_privilege('{login}', '{name}', 'update')"

    found = [name for name in names if target.run(None, query.format(login=login, name=name)) == [(True, False)]]

    assert set(found) - {"sync.refresh_evidence"} == set(APPEND_ONLY)


@pytest.mark.parametrize(("table", "column"), WRITTEN_BY_ITSELF)
def test_loader_states_no_time_or_login_of_its_rows(target: Target, table: str, column: str) -> None:
    assert target.refuses(LOADER, f"insert into {table} ({column}) values (null)")


def test_loader_states_times_of_its_own_work(target: Target) -> None:
    login = target.logins[LOADER]
    stated = target.run(
        None,
        "select own.name from (values ('sync.call_budget_move', 'moved_at'), ('sync.check_result', 'checked_at')) as own (name, stated) "
        f"where has_column_privilege('{login}', own.name, own.stated, 'insert') order by 1",
    )

    assert stated == [("sync.call_budget_move",), ("sync.check_result",)]
    assert target.run(None, f"select has_function_privilege('{login}', 'privacy.remember(jsonb)', 'execute')") == [
        (True,)
    ]


def test_loader_closes_the_fence_and_lifts_none(target: Target) -> None:
    [(fence,)] = target.run(
        LOADER, "insert into wallet.fence (reason, evidence) values ('made up', '[]') returning fence_id"
    )
    lift = f"insert into wallet.fence_lift (fence_id, reason) values ({fence}, 'compared with Syrve')"

    assert target.refuses(LOADER, lift)
    assert target.refuses(LOADER, f"delete from wallet.fence where fence_id = {fence}")
    target.run("syrve_ops", lift)
    [(login,)] = target.run(None, f"select recorded_by from wallet.fence_lift where fence_id = {fence}")
    assert login == target.logins["syrve_ops"]


BREAKER = """
    insert into sync.breaker (organization_id, kind, run_id, looked, affected, allowed)
    values (gen_random_uuid(), 'customers_gone', 'r', 9, 9, 1) returning breaker_id
"""


def test_loader_decides_no_breaker_for_a_person(target: Target) -> None:
    [(breaker,)] = target.run(LOADER, BREAKER)
    decide = f"update sync.breaker set decision = 'let_through', decided_at = now() where breaker_id = {breaker}"

    with pytest.raises(psycopg2.errors.CheckViolation):
        target.run(LOADER, decide)
    with pytest.raises(psycopg2.errors.CheckViolation):
        target.run(
            LOADER,
            BREAKER.replace("allowed)", "allowed, decision, decided_at)").replace("9, 1)", "9, 1, 'dropped', now())"),
        )
    assert target.refuses(LOADER, decide.replace(" where", ", decided_by = user where"))
    assert target.refuses(LOADER, f"select sync.let_through({breaker})")

    assert target.run("syrve_ops", f"select sync.let_through({breaker})") == [(0,)]
    who = f"select decided_by from sync.breaker where breaker_id = {breaker}"
    assert target.run(None, who) == [(target.logins["syrve_ops"],)]


def test_nobody_decides_by_anothers_name(target: Target) -> None:
    with pytest.raises(psycopg2.errors.UndefinedFunction):
        target.run("syrve_ops", "select sync.let_through(1, 'Olga')")
    with pytest.raises(psycopg2.errors.UndefinedFunction):
        target.run("syrve_ops", "select sync.drop_held_back(1, decided_by => 'Olga')")


def asked(returning: str, planned_by: str = "r") -> str:
    """Plan a top-up in one run and ask about it in the run r."""
    subject = uuid4()
    return f"""
        insert into sync.planned_content (kind, dag_id, run_id, subject, digest)
        values ('topup', 'd', '{planned_by}', '{subject}', repeat('a', 64));
        insert into sync.approval (kind, subject, digest, rows, dag_id, run_id, requested_by)
        values ('topup', '{subject}', repeat('a', 64), 1, 'd', 'r', 'asker') returning {returning}
    """


def test_no_run_asks_about_what_another_planned(target: Target) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation, match="what it did not plan itself"):
        target.run(LOADER, asked("approval_id", planned_by="another"))


def test_approval_names_the_login_that_wrote_it(target: Target) -> None:
    assert target.run(LOADER, asked("recorded_by")) == [(target.logins[LOADER],)]


def test_loader_approves_nothing_alone_or_twice(target: Target) -> None:
    [(approval,)] = target.run(LOADER, asked("approval_id"))
    approve = (
        "insert into sync.approval_event (approval_id, sequence, state, digest, requested_by, decided_by_id) "
        f"values ('{approval}', {{number}}, 'approved', repeat('{{digest}}', 64), '{{asker}}', '{{by}}')"
    )

    refused = (
        (psycopg2.errors.CheckViolation, {"number": 1, "digest": "a", "asker": "asker", "by": "Asker"}),
        (psycopg2.errors.CheckViolation, {"number": 1, "digest": "a", "asker": "asker", "by": ""}),
        (psycopg2.errors.ForeignKeyViolation, {"number": 1, "digest": "b", "asker": "asker", "by": "boss"}),
        (psycopg2.errors.ForeignKeyViolation, {"number": 1, "digest": "a", "asker": "", "by": "asker"}),
    )
    for error, values in refused:
        with pytest.raises(error):
            target.run(LOADER, approve.format(**values))
    target.run(LOADER, approve.format(number=1, digest="a", asker="asker", by="boss"))
    with pytest.raises(psycopg2.errors.UniqueViolation):
        target.run(LOADER, approve.format(number=2, digest="a", asker="asker", by="boss"))


CALLED = """
    with ours as (
        select oid, pronamespace::regnamespace || '.' || proname as name, prosecdef, lower(prosrc) as body
        from pg_proc where pronamespace::regnamespace::text = any(%(schemas)s)
    )
    select caller.name, called.name
    from ours as caller
    join ours as called on caller.body ~ ('\\m' || replace(called.name, '.', '\\.') || '\\(') and called.oid <> caller.oid
    where not caller.prosecdef and has_function_privilege(%(login)s, caller.oid, 'execute')
    group by caller.name, called.name
    having not bool_or(has_function_privilege(%(login)s, called.oid, 'execute'))
"""


@pytest.mark.parametrize("role", ROLES)
def test_who_may_call_a_function_may_call_what_it_calls(target: Target, role: str) -> None:
    with closing(psycopg2.connect(target.dsn())) as connection, connection.cursor() as cursor:
        cursor.execute(CALLED, {"schemas": list(SCHEMAS), "login": target.logins[role]})
        assert cursor.fetchall() == []
