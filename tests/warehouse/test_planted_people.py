"""Two thousand planted people: an analyst who tries every column, cast, error, plan and statistic reads no phone and no name."""

import random
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from devstack.postgres import PostgresServer
from fixtures.logins import login_of

PEOPLE = 2000
_RNG = random.Random(20_261_128)
PHONES = _RNG.sample(range(79_000_000_000, 79_999_999_999), PEOPLE)
NAMES = ["".join(_RNG.choices("BCDFGHJKLMNPQRSTVWXZ", k=12)) for _ in range(PEOPLE)]
DIGITS = {str(phone)[1:] for phone in PHONES}
LETTERS = set(NAMES)

PLANT = """
create temporary table person as
select ordinal, '+' || phone as phone, name, md5('o' || ordinal %% 2)::uuid as organization_id, md5(name)::uuid as id,
    now() - interval '1 hour' as at
from unnest(%(phones)s::bigint[], %(names)s::text[]) with ordinality as one (phone, name, ordinal);
insert into syrve.organization (organization_id, name, time_zone, synced_at)
select md5('o' || n)::uuid, 'One', 'UTC', now() from generate_series(0, 1) n;
insert into syrve.customer (organization_id, customer_id, phone, phone_raw, email, name, surname, middle_name, is_deleted, extra,
    first_seen_at, changed_at, fetched_at, profile_changed_at)
select organization_id, id, phone, phone, name || '@example.com', name, name, name, ordinal %% 9 = 0, jsonb_build_object('comment', name),
    at, at, at, at
from person;
insert into syrve.customer_version (organization_id, customer_id, phone, phone_raw, name, surname, is_deleted, extra, valid_from, valid_to)
select organization_id, id, phone, phone, name, name, false, jsonb_build_object('comment', name),
    at - interval '2 days', at
from person;
insert into syrve.card (organization_id, customer_id, card_id, track, number, changed_at)
select organization_id, id, id, name, phone, at from person;
insert into syrve.coupon (organization_id, number, series_id, series_name, activated_by, verdict, checked_at)
select organization_id, phone, id, 'Spring', name, 'used', at from person;
insert into sync.roster (organization_id, identity_kind, identity_value, received_value, source, customer_id, outcome, confirmed_at,
    checked_at)
select organization_id, 'phone', phone, name, 'test', id, 'found', at, at from person;
insert into sync.reject (run_id, entity, organization_id, identity, stage, reason, payload)
select 'run', 'customer', organization_id, phone, 'field', 'birthday is no date', jsonb_build_object('name', name) from person;
insert into crm.customer (organization_id, customer_id, phone, name, surname)
select organization_id, id, phone, name, name from person;
insert into crm.push (plan_id, crm_id, organization_id, customer_id, step, operation, fields, outcome, run_id, attempted_at)
select 1, ordinal, organization_id, id, 0, 'card_add', array['name', 'card:' || name], 'acknowledged', 'run', at from person;
insert into wallet.payment_order (organization_id, order_id, state, state_at)
select organization_id, case when ordinal %% 4 = 0 then name || '@example.com' else 'call ' || phone end, 'open', at
from person where ordinal %% 2 = 0;
insert into wallet.operation (operation_id, kind, organization_id, customer_id, wallet_id, amount, order_id, source, requested_at)
select id, 'hold', organization_id, id, id, 5, phone, 'payment', at from person where ordinal %% 10 = 0;
insert into wallet.operation_event (operation_id, sequence, state, occurred_at, basis)
select operation_id, 1, 'confirmed', requested_at, 'report' from wallet.operation;
drop table person
"""
COLUMNS = """
    select attrelid::regclass::text, quote_ident(attname) from pg_attribute
    inner join pg_class on pg_class.oid = attrelid
    where relnamespace = 'analytics'::regnamespace and relkind = 'v' and attnum > 0 order by 1, attnum
"""
LEAKY = (
    "{column}::text::integer > 0",
    "1 / (length({column}::text) - length({column}::text)) > 0",
    "('{{' || {column}::text)::jsonb is null",
    "({column}::text || 'x')::timestamptz > now()",
    "to_date({column}::text, 'YYYY-MM-DD') > now()",
    "{column}::text ~ ('(' || {column}::text)",
    "pg_size_bytes({column}::text) > 0",
    "{column}::text::xml is null",
)
"""Conditions that end in an error, whose text quotes a value if it can: pushed below the view they would see what is behind it."""


@pytest.fixture(scope="module")
def analyst(postgres_server: PostgresServer, lasting_dsn: str) -> Iterator[Any]:
    with closing(psycopg2.connect(lasting_dsn)) as owner, owner.cursor() as cursor:
        owner.autocommit = True
        cursor.execute(PLANT, {"phones": PHONES, "names": NAMES})
        cursor.execute("analyze")
        cursor.execute("select count(*) from syrve.customer")
        assert cursor.fetchall() == [(PEOPLE,)]
    with login_of(postgres_server, "syrve_analyst") as name:
        connection = psycopg2.connect(lasting_dsn.replace("postgres@", f"{name}@"))
        connection.autocommit = True
        yield connection
        connection.close()


def seen(connection: Any, statement: str) -> str:
    """What a statement shows, or how it fails."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(statement)
            return str(cursor.fetchall()) + str(connection.notices)
        except psycopg2.Error as error:
            return f"{error} {error.diag.message_detail} {error.diag.context} {error.diag.internal_query}"


def found_in(text: str) -> set[str]:
    """The planted phones and names that a text holds, whichever way it writes a phone."""
    digits = {each[-10:] for each in re.findall(r"\d{10,}", re.sub(r"[\s()+-]", "", text))}
    words = {word.upper() for word in re.findall(r"[A-Za-z]{12,}", text)}
    return (digits & DIGITS) | {name for word in words for name in [word[:12], word[-12:]] if name in LETTERS}


def views(connection: Any) -> dict[str, list[str]]:
    known: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS)
        for view, column in cursor.fetchall():
            known.setdefault(view, []).append(column)
    return known


@pytest.mark.usefixtures("analyst")
def test_search_finds_what_is_there(lasting_dsn: str) -> None:
    with closing(psycopg2.connect(lasting_dsn)) as owner:
        assert len(found_in(seen(owner, "select phone, surname from syrve.customer"))) == 2 * PEOPLE


def test_no_view_shows_a_phone_or_a_name(analyst: Any) -> None:
    known = views(analyst)

    assert len(known) >= 20
    for view in known:
        assert found_in(seen(analyst, f"select row_to_json(row) from {view} as row")) == set(), view


def test_no_error_text_shows_a_phone_or_a_name(analyst: Any) -> None:
    for view, columns in views(analyst).items():
        for column in columns:
            for condition in LEAKY:
                statement = f"select count(*) from {view} where {condition.format(column=column)}"
                assert found_in(seen(analyst, statement)) == set(), statement


def test_no_plan_shows_a_phone_or_a_name(analyst: Any) -> None:
    for view, columns in views(analyst).items():
        for column in columns:
            statement = f"explain (verbose, analyze) select {column} from {view} where {column}::text >= '+7' order by 1 limit 1"
            assert found_in(seen(analyst, statement)) == set(), statement


@pytest.mark.parametrize(
    "catalogue",
    [
        *(
            "pg_stats",
            "pg_stats_ext",
            "pg_stats_ext_exprs",
            "pg_statistic",
            "pg_sequences",
            "pg_description",
            "pg_partitioned_table",
        ),
        *(
            "pg_stat_activity",
            "pg_prepared_statements",
            "pg_largeobject",
            "pg_stat_progress_analyze",
            "pg_cursors",
            "pg_locks",
        ),
    ],
)
def test_no_statistic_shows_a_phone_or_a_name(analyst: Any, catalogue: str) -> None:
    assert found_in(seen(analyst, f"select row_to_json(row) from {catalogue} as row")) == set()


def test_no_table_behind_the_views_can_be_read(analyst: Any) -> None:
    for table in (
        "syrve.customer",
        "syrve.customer_version",
        "sync.roster",
        "sync.reject",
        "crm.customer",
        "crm.push",
        "secret.customer_masked",
    ):
        assert "permission denied" in seen(analyst, f"select * from {table}")
        assert "permission denied" in seen(analyst, f"copy (table {table}) to stdout")
