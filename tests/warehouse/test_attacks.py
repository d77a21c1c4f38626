"""Attacks on the warehouse as each role, on the newest Postgres and on the oldest: nobody gets further than docs/roles.md says."""

import os
import re
from contextlib import closing, suppress
from pathlib import Path

import psycopg2
import psycopg2.errors
import pytest

from fixtures.targets import CARD, NOBODY, PEOPLE, PHONE, RELATIONS, ROLES, Target
from syrve.warehouse.grants import SCHEMAS, roles
from warehouse import roles_table
from warehouse.definers import DEFINERS

HANG_ON_A_TRIGGER = """
    create type pg_temp.e as enum ('1');
    create function pg_temp.b(pg_temp.e) returns bigint language plpgsql as $$
    begin execute 'alter role {login} superuser'; return 1; end $$;
    create cast (pg_temp.e as bigint) with function pg_temp.b(pg_temp.e) as implicit;
    create temp table t (crm_id pg_temp.e);
    create trigger x after insert on t referencing new table as edited for each statement execute function crm.note_membership_edit();
    insert into t values ('1')
"""
FORGE_AN_ORDER = """
    create temp table t (organization_id uuid, order_id text, state_at timestamptz, state text, amount numeric, source text,
        recorded_at timestamptz);
    create trigger x before insert on t for each row execute function wallet.keep_order_version();
    insert into t values (gen_random_uuid(), 'forged', now(), 'completed', 1, 'forged', now())
"""


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("script", [HANG_ON_A_TRIGGER, FORGE_AN_ORDER], ids=["become owner", "forge order"])
def test_trigger_on_a_table_of_ones_own_is_refused(target: Target, role: str, script: str) -> None:
    login = target.logins[role]

    assert target.refuses(role, script.replace("{login}", login))

    assert target.run(None, f"select rolsuper from pg_roles where rolname = '{login}'") == [(False,)]
    assert target.run(None, "select count(*) from wallet.payment_order_version where order_id = 'forged'") == [(0,)]


def test_no_role_may_hang_any_trigger_function(target: Target) -> None:
    query = """
        select function.oid::regprocedure::text from pg_proc as function
        where pronamespace::regnamespace::text = any(%s) and prorettype = 'trigger'::regtype
            and exists (select from unnest(%s::text[]) as login where has_function_privilege(login, function.oid, 'execute'))
    """
    with closing(psycopg2.connect(target.dsn())) as connection, connection.cursor() as cursor:
        cursor.execute(query, (list(SCHEMAS), list(target.logins.values())))
        assert cursor.fetchall() == []


def test_function_made_later_is_not_for_everybody(target: Target) -> None:
    target.run(None, "create function sync.later() returns integer language sql as 'select 1'")
    try:
        assert all(target.refuses(role, "select sync.later()") for role in ROLES)
    finally:
        target.run(None, "drop function sync.later()")


def test_every_function_is_pinned_and_few_run_as_the_owner(target: Target) -> None:
    query = """
        select oid::regprocedure::text, prosecdef, prosqlbody is not null
            or coalesce(array_to_string(proconfig, ' ') like '%%search_path=pg_catalog, pg_temp%%', false)
        from pg_proc where pronamespace::regnamespace::text = any(%s)
    """
    with closing(psycopg2.connect(target.dsn())) as connection, connection.cursor() as cursor:
        cursor.execute(query, (list(SCHEMAS),))
        found = cursor.fetchall()

    assert [name for name, _, is_pinned in found if not is_pinned] == []
    assert {name for name, is_definer, _ in found if is_definer} == DEFINERS


def test_every_definer_says_why_beside_it() -> None:
    migrations = sorted((Path(__file__).parents[2] / "sql" / "migrations").glob("*.sql"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in migrations if "rollback" not in path.name)
    makings = list(re.finditer(r"((?:^--.*\n)*)^create (?:or replace )?function ([\w.]+)", text, re.MULTILINE))
    ends = [making.start() for making in makings[1:]] + [len(text)]
    bodies = {making[2]: (making[1], text[making.end() : end]) for making, end in zip(makings, ends, strict=True)}
    definers = {name.partition("(")[0] for name in DEFINERS}

    assert {name for name, (_, body) in bodies.items() if "security definer" in body} == definers
    assert [name for name in sorted(definers) if "As the owner, " not in bodies[name][0]] == []


def test_rights_are_what_the_document_says(target: Target) -> None:
    with closing(psycopg2.connect(target.dsn())) as connection, connection.cursor() as cursor:
        found = roles_table.table(cursor)
    text = roles_table.DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = text.partition(roles_table.BEGIN)
    told, _, tail = rest.partition(roles_table.END)
    if os.environ.get("SYRVE_WRITE_ROLES_TABLE"):
        roles_table.DOCUMENT.write_text(head + roles_table.BEGIN + found + roles_table.END + tail, encoding="utf-8")
        told = found

    missing = "state the rights in sql/grants, then run this test once with SYRVE_WRITE_ROLES_TABLE=1"
    assert set(told.splitlines()) ^ set(found.splitlines()) == set(), missing


def test_everybody_may_nothing_of_ours(target: Target) -> None:
    for name in (row[0] for row in target.run(None, RELATIONS)):
        assert target.refuses(NOBODY, f"select * from {name}"), name
    for schema in SCHEMAS:
        assert target.run(NOBODY, f"select has_schema_privilege('{schema}', 'usage')") == [(False,)]


READABLE = f"""
    select attrelid::regclass::text, string_agg(quote_ident(attname), ', ' order by attnum)
    from pg_attribute join pg_class on pg_class.oid = attrelid
    where relkind in ('r', 'p', 'v') and relnamespace::regnamespace::text = any(array{list(SCHEMAS)}) and attnum > 0
        and not attisdropped and has_column_privilege(attrelid, attnum, 'select')
        and has_schema_privilege(relnamespace, 'usage')
    group by attrelid
"""


def read_all(target: Target, role: str) -> str:
    """Everything that a role can read, as text."""
    readable = target.run(role, READABLE)
    return "\n".join(str(target.run(role, f"select row({columns})::text from {name}")) for name, columns in readable)


@pytest.mark.parametrize("role", ["syrve_analyst", "syrve_ops", NOBODY])
def test_no_phone_or_card_is_readable_in_clear(target: Target, role: str) -> None:
    seen = read_all(target, role)

    assert PHONE not in seen
    assert CARD not in seen
    assert (role == NOBODY) == (seen == "")


def test_clear_values_need_a_role_of_their_own(target: Target) -> None:
    seen = read_all(target, "syrve_ops_clear")

    assert PHONE in seen
    assert CARD in seen


@pytest.mark.parametrize("role", ["syrve_analyst", "syrve_ops", NOBODY])
def test_statistics_and_plans_show_no_value(target: Target, role: str) -> None:
    seen = str(target.run(role, "select * from pg_stats")) + str(target.run(role, "select * from pg_stats_ext"))
    seen += str(target.run(role, "select query from pg_stat_activity"))
    with suppress(psycopg2.errors.InsufficientPrivilege):
        seen += str(
            target.run(role, "explain (verbose, analyze) select * from analytics.customer where phone_masked > '+'")
        )

    assert PHONE not in seen
    assert CARD not in seen
    key = target.run(None, "select encode(key, 'hex') from secret.hash_key")[0][0]
    assert key not in seen


def test_errors_of_masked_columns_show_masked_values(target: Target) -> None:
    with pytest.raises(psycopg2.errors.DataError) as caught:
        target.run("syrve_analyst", "select * from analytics.customer where phone_masked::integer > 0")

    assert PHONE not in str(caught.value)


@pytest.mark.parametrize("role", PEOPLE)
def test_hash_key_is_listed_for_nobody(target: Target, role: str) -> None:
    listed = "select table_name from information_schema.tables where table_name = 'hash_key'"
    usable = "select nspname from pg_namespace where has_schema_privilege(oid, 'usage') and nspname = 'secret'"

    assert target.run(role, listed) == []
    assert target.run(role, usable) == []
    assert (
        target.run(
            role, "select relname from pg_class where relnamespace = 'analytics'::regnamespace and relkind = 'r'"
        )
        == []
    )


GETTING_OUT = (
    "copy (select 1) to program 'id'",
    "copy (select 1) to '/tmp/attack'",
    "create table public.mine (a integer)",
    "select pg_read_file('/etc/passwd')",
    "select pg_ls_dir('/')",
    "select lo_import('/etc/passwd')",
    "select lo_export(1, '/tmp/attack')",
    "select rolpassword from pg_authid",
    "alter system set log_statement = 'all'",
    "select pg_reload_conf()",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
    "create role mine superuser",
    "alter role current_user superuser",
    "alter role current_user bypassrls",
    "grant pg_execute_server_program to current_user",
    "set session authorization postgres",
    "set role postgres",
    "create schema mine",
    "create extension file_fdw",
    "create server s foreign data wrapper nothing",
    "create publication mine for all tables",
    "create event trigger mine on ddl_command_start execute function crm.note_edit()",
    "set session_replication_role = replica",
    "set log_min_messages = debug5",
)


@pytest.mark.parametrize("role", ROLES)
def test_no_role_gets_out_of_the_database(target: Target, role: str) -> None:
    got_out = []
    for statement in GETTING_OUT:
        try:
            target.run(role, statement)
            got_out.append(statement)
        except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.UndefinedObject):
            continue
        except psycopg2.errors.FeatureNotSupported:  # file_fdw is not installed
            continue

    assert [statement for statement in got_out if "pg_terminate_backend" not in statement] == []


@pytest.mark.parametrize("role", ROLES)
def test_no_role_becomes_another(target: Target, role: str) -> None:
    own = {role, "syrve_ops"} if role == "syrve_ops_clear" else {role}

    assert all(target.refuses(role, f"set role {other}") for other in (*roles(), "postgres") if other not in own)
    assert all(target.refuses(role, f"grant {other} to {target.logins[NOBODY]}") for other in roles())


CHANGING = (
    "alter table {name} owner to current_user",
    "truncate {name}",
    "comment on table {name} is 'mine'",
    "create trigger mine before insert on {name} for each row execute function crm.note_edit()",
    "create rule mine as on insert to {name} do instead nothing",
    "create policy mine on {name}",
    "create index on {name} ((1))",
    "alter table {name} disable trigger all",
    "drop table {name} cascade",
)


@pytest.mark.parametrize("role", ROLES)
def test_no_role_changes_a_table(target: Target, role: str) -> None:
    tables = [name for (name,) in target.run(None, RELATIONS.replace("'r', 'p', 'v'", "'r', 'p'"))]

    for name in tables:
        for statement in CHANGING:
            assert target.refuses(role, statement.format(name=name)), (role, statement, name)


CREATING = (
    "create temporary table mine (a integer)",
    "create function pg_temp.mine() returns integer language sql as 'select 1'",
    "create type pg_temp.mine as enum ('a')",
    "create operator pg_temp.=== (leftarg = text, rightarg = text, function = texteq)",
    "create cast (text as integer) with inout as implicit",
    "create function public.mine() returns integer language sql as 'select 1'",
    "create view public.mine as select 1",
)


@pytest.mark.parametrize("role", PEOPLE)
def test_people_create_nothing_not_even_for_a_session(target: Target, role: str) -> None:
    made = []
    for statement in CREATING:
        try:
            target.run(role, statement)
            made.append(statement)
        except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.InvalidObjectDefinition):
            continue

    assert made == []


def test_ops_states_no_time_at_which_a_reject_was_resolved(target: Target) -> None:
    target.run(
        None,
        "insert into sync.reject (run_id, entity, identity, stage, reason) values ('r', 'roster', 'line 1', 'import', 'dated')",
    )

    target.run("syrve_ops", "update sync.reject set resolved_at = '2000-01-01' where reason = 'dated'")

    query = "select resolved_at > now() - interval '1 minute' from sync.reject where reason = 'dated'"
    assert target.run(None, query) == [(True,)]


def test_ops_changes_no_decision_of_a_closed_conflict(target: Target) -> None:
    target.run(
        None,
        "insert into crm.conflict (crm_id, organization_id, customer_id, field, policy, outcome, decision, closed_at) "
        "values (1, gen_random_uuid(), gen_random_uuid(), 'name', 'ask', 'crm', 'crm', now())",
    )

    with pytest.raises(psycopg2.errors.CheckViolation):
        target.run("syrve_ops", "update crm.conflict set decision = 'syrve'")


def test_ops_asks_about_what_it_has_at_hand_only(target: Target) -> None:
    [(organization,)] = target.run(None, "select organization_id from sync.roster limit 1")
    ask = f"select * from sync.explain_due('{organization}', '{{identity}}')"

    known = target.run("syrve_ops", ask.format(identity=PHONE))

    assert len(known) == 1
    assert PHONE not in str(known)
    assert target.run("syrve_ops", ask.format(identity="%")) == []
    assert target.refuses("syrve_analyst", ask.format(identity=PHONE))
    assert target.refuses("syrve_ops", "select identity_value from sync.roster")


def test_no_limit_of_time_is_set_for_log_ins(target: Target) -> None:
    limits = "select current_setting('statement_timeout'), rolconnlimit from pg_roles where rolname = current_user"
    assert all(target.run(role, limits) == [("0", -1)] for role in PEOPLE)
