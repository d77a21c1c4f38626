"""Migrations up, down and up again from every step, on the newest Postgres and on the oldest that is supported."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from devstack.postgres import PostgresServer
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.errors import WarehouseConfigError
from syrve.warehouse.grants import SCHEMAS
from syrve.warehouse.migrate import migrate, roll_back, state

LAYOUT = """
    select 'relation', nspname, relname, relkind::text, attname, format_type(atttypid, atttypmod), attnotnull::text,
        pg_get_expr(adbin, adrelid), array(select unnest(relacl)::text order by 1)::text, coalesce(pg_get_indexdef(pg_class.oid), ''),
        col_description(pg_class.oid, attnum), reloptions::text,
        (select string_agg(pg_get_constraintdef(oid), ';' order by conname) from pg_constraint where conrelid = pg_class.oid),
        case when relkind = 'v' then pg_get_viewdef(pg_class.oid) end
    from pg_class
    join pg_namespace on pg_namespace.oid = relnamespace
    join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
    left join pg_attrdef on adrelid = pg_class.oid and adnum = attnum
    where nspname = any(%(schemas)s)
    union all
    select 'function', pronamespace::regnamespace::text, pg_proc.oid::regprocedure::text, pg_get_functiondef(pg_proc.oid),
        array(select unnest(proacl)::text order by 1)::text, obj_description(pg_proc.oid, 'pg_proc'),
        null, null, null, null, null, null, null, null
    from pg_proc where pronamespace::regnamespace::text = any(%(schemas)s)
    union all
    select 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(pg_trigger.oid), tgenabled::text,
        null, null, null, null, null, null, null, null, null
    from pg_trigger join pg_class on tgrelid = pg_class.oid
    where relnamespace::regnamespace::text = any(%(schemas)s) and not tgisinternal
    union all
    select 'later', defaclobjtype::text, defaclacl::text, null, null, null, null, null, null, null, null, null, null, null
    from pg_default_acl
    order by 1, 2, 3, 4, 5, 6
"""


@pytest.fixture(params=["newest", "oldest"])
def empty(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    """An empty database of the newest and of the oldest Postgres."""
    fixture = {"newest": "postgres_server", "oldest": "old_postgres_server"}[request.param]
    server: PostgresServer = request.getfixturevalue(fixture)
    name = f"test_{uuid.uuid4().hex}"
    server.create_database(name)
    yield Warehouse(url_from_text(server.dsn(name)))
    server.drop_database(name)


def layout(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """Everything that our schemas hold, with rights and comments."""
    with warehouse.transaction("read the layout") as cursor:
        cursor.execute(LAYOUT, {"schemas": list(SCHEMAS)})
        return cursor.fetchall()


def test_every_step_leads_down_and_up_to_the_same(empty: Warehouse) -> None:
    everything = tuple(migrate(empty.url))
    before = layout(empty)
    assert len(before) > 500

    for kept in range(len(everything) - 1, 0, -1):
        target = everything[kept - 1]
        assert tuple(roll_back(empty.url, to=target)) == everything[kept:][::-1]
        assert state(empty.url).pending == everything[kept:]
        assert tuple(migrate(empty.url)) == everything[kept:]
        assert layout(empty) == before, f"down to {target} and up again"


def test_down_step_by_step_ends_with_nothing_left(empty: Warehouse) -> None:
    everything = tuple(migrate(empty.url))
    before = layout(empty)

    for kept in range(len(everything) - 1, 0, -1):
        assert roll_back(empty.url, to=everything[kept - 1]) == [everything[kept]]
    assert roll_back(empty.url, to=None) == [everything[0]]

    assert layout(empty) == []
    assert tuple(migrate(empty.url)) == everything
    assert layout(empty) == before


def test_owner_without_the_right_to_schemas_is_told(empty: Warehouse) -> None:
    with empty.transaction("make an owner") as cursor:
        cursor.execute("create role plain_owner login")
    try:
        with pytest.raises(WarehouseConfigError) as caught:
            migrate(empty.url.set(username="plain_owner"))
    finally:
        with empty.transaction("remove the owner") as cursor:
            cursor.execute("drop role plain_owner")

    assert "plain_owner may not create schemas in" in str(caught.value)
    assert 'grant create on database "' in str(caught.value)
