"""A column of the mirror is everywhere where it has to be; a test that fails names the place that was forgotten."""

import json
import typing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec
import pytest
from msgspec.structs import replace

from fixtures.chains import NOT_FOUND, Chain, by_id, by_phone, customer, id_of
from syrve.api.models import Customer
from syrve.customers.children import CHILDREN
from syrve.customers.records import CUSTOMER_COLUMNS
from syrve.warehouse.database import Warehouse
from syrve.warehouse.staging import prepare_staging

COPIED = {"customer": CUSTOMER_COLUMNS} | {child.entity: child.columns for child in CHILDREN}
KEPT_BESIDE = {
    *("digest", "fetched_at", "first_seen_at", "changed_at", "profile_changed_at", "field_changed_at"),
    *("valid_from", "valid_to"),
}
"""Columns that say when, not what."""
CARD_EXPIRY = {"valid_to"}
LISTS = {child.attribute for child in CHILDREN}
NOT_STORED = {"customer_id", "absent", "problems", "last_order_at", *LISTS}
"""Fields without a column: keys, what an answer lacked, and the last order, which is in `extra` as it was written."""
PROFILE = [field.name for field in msgspec.structs.fields(Customer) if field.name not in NOT_STORED]
UNCOUNTED = {"referrer_id", "program_name", "is_deleted", "extra"}
"""Fields whose change in many customers at once trips no breaker."""
NOT_SHOWN_TO_ANALYSTS = {
    "customer": dict.fromkeys(("name", "surname", "middle_name"), "tells who it is")
    | {"phone_raw": "phone is shown masked and hashed", "extra": "may hold anything"}
}
"""Columns that no view of analytics reads, with the reason."""


def columns(warehouse: Warehouse, relation: str) -> set[str]:
    query = """
    select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped
    """
    with warehouse.transaction("test") as cursor:
        cursor.execute(query, (relation,))
        return {name for (name,) in cursor.fetchall()}


def of_the_mirror(warehouse: Warehouse, entity: str) -> set[str]:
    return columns(warehouse, f"syrve.{entity}") - (KEPT_BESIDE - (CARD_EXPIRY if entity == "card" else set()))


@pytest.mark.parametrize("entity", COPIED)
def test_history_has_every_column_of_the_mirror(warehouse: Warehouse, entity: str) -> None:
    mirrored = of_the_mirror(warehouse, entity)

    for place in (f"syrve.{entity}_version", f"syrve.{entity}_history"):
        assert mirrored - columns(warehouse, place) == set(), place


@pytest.mark.parametrize("entity", COPIED)
def test_staging_and_copy_have_every_column_of_the_mirror(warehouse: Warehouse, entity: str) -> None:
    with warehouse.connect() as connection:
        prepare_staging(connection)
        with connection.cursor() as cursor:
            cursor.execute(
                "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0", (f"staging_{entity}",)
            )
            staged = {name for (name,) in cursor.fetchall()}

    assert staged == set(COPIED[entity])
    assert of_the_mirror(warehouse, entity) - staged == set()


def values_of(kind: type, name: str) -> tuple[Any, Any]:
    """Two values that a field of a model may have, by its type."""
    hint = typing.get_type_hints(kind)[name]
    if name == "extra":
        return {"note": "one"}, {"note": "other"}
    choices = [each for each in typing.get_args(hint) if each is not type(None)] or [hint]
    if typing.get_origin(choices[0]) is Literal:
        first, second, *_ = typing.get_args(choices[0])
        return first, second
    if name.endswith("_id"):
        return id_of(101), id_of(102)
    examples: dict[Any, tuple[Any, Any]] = {
        str: ("one", "other"),
        bool: (False, True),
        int: (1, 2),
        date: (date(1990, 1, 2), date(1991, 1, 2)),
        Decimal: (Decimal(1), Decimal(2)),
        datetime: (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)),
    }
    return examples[choices[0]]


def filled(which: int) -> Customer:
    return customer(1, **{name: values_of(Customer, name)[which] for name in PROFILE})


@pytest.fixture
def pulled(chain: Chain) -> Chain:
    chain.know([by_phone(1), by_id(1)], filled(0))
    chain.pull()
    return chain


def text_of(chain: Chain, relation: str, column: str, value: Any) -> str:
    """How Postgres writes a value of that column."""
    query = "select format_type(atttypid, null) from pg_attribute where attrelid = %s::regclass and attname = %s"
    kind = chain.value(query, relation, column)
    written = json.dumps(value) if isinstance(value, dict) else value
    return str(chain.value(f"select (%s::{kind})::text", written))


def column_of(name: str) -> str:
    return "phone_raw" if name == "phone" else name


def stored(chain: Chain, relation: str, column: str) -> list[Any]:
    return [value for (value,) in chain.rows(f"select {column}::text from {relation}")]


@pytest.mark.parametrize("name", PROFILE)
def test_change_of_any_field_is_written_with_its_history(pulled: Chain, name: str) -> None:
    changed = replace(filled(0), **{name: getattr(filled(1), name)})
    column = column_of(name)
    before, after = (text_of(pulled, "syrve.customer", column, getattr(each, name)) for each in (filled(0), changed))
    assert stored(pulled, "syrve.customer", column) == [before] != [after]

    pulled.knows(changed)
    assert pulled.pull().changed == 1

    assert stored(pulled, "syrve.customer", column) == [after]
    assert stored(pulled, "syrve.customer_version", column) == [before]
    assert stored(pulled, "syrve.customer_history where valid_to is null", column) == [after]
    counted = "select field from sync.breaker_count where kind = 'field_changed' and affected > 0"
    assert pulled.rows(counted) == ([] if name in UNCOUNTED else [(name,)])


def test_deletion_keeps_every_field_in_the_history(pulled: Chain) -> None:
    pulled.know([by_phone(1), by_id(1)], NOT_FOUND)
    pulled.pull()

    for name in set(PROFILE) - {"is_deleted"}:
        expected = text_of(pulled, "syrve.customer", column_of(name), getattr(filled(0), name))
        assert stored(pulled, "syrve.customer_version", column_of(name)) == [expected], name


NO_VERSION = {("wallet_balance", "name")}
"""A wallet that only has another name is no other balance."""
ROW_TYPES: dict[str, type] = {
    child.entity: typing.get_args(typing.get_type_hints(Customer)[child.attribute])[0] for child in CHILDREN
}
BY_ENTITY = {child.entity: child for child in CHILDREN}
FIELDS_OF_CHILDREN = [
    (entity, field.name) for entity, kind in ROW_TYPES.items() for field in msgspec.structs.fields(kind)[1:]
]


@pytest.mark.parametrize(("entity", "name"), FIELDS_OF_CHILDREN)
def test_change_of_any_field_of_a_child_is_written(pulled: Chain, entity: str, name: str) -> None:
    kind, child_list = ROW_TYPES[entity], BY_ENTITY[entity]
    fields = [field.name for field in msgspec.structs.fields(kind)]
    one = kind(**{each: values_of(kind, each)[0] for each in fields})
    other = replace(one, **{name: values_of(kind, name)[1]})
    before, after = (text_of(pulled, f"syrve.{entity}", name, getattr(each, name)) for each in (one, other))

    for child in (one, other):
        pulled.knows(replace(filled(0), **{"wallets": (), child_list.attribute: (child,)}))
        pulled.pull()

    assert stored(pulled, f"syrve.{entity}", name) == [after] != [before]
    kept = stored(pulled, f"syrve.{entity}_version", child_list.renamed.get(name, name))
    assert (before in kept) is ((entity, name) not in NO_VERSION)


@pytest.mark.parametrize("entity", COPIED)
def test_analysts_see_every_column_or_a_reason_is_stated(warehouse: Warehouse, entity: str) -> None:
    query = """
    select column_name from information_schema.view_column_usage
    where view_schema in ('analytics', 'secret') and table_schema = 'syrve' and table_name in (%s, %s)
    """
    with warehouse.transaction("test") as cursor:
        cursor.execute(query, (entity, f"{entity}_history"))
        shown = {name for (name,) in cursor.fetchall()}

    assert of_the_mirror(warehouse, entity) - shown == NOT_SHOWN_TO_ANALYSTS.get(entity, {}).keys()


FOR_JOINS_ONLY = {"phone", "is_current"}
"""Columns of the masked views that serve other views."""
KEPT_BY_HISTORY_ALONE = {"deleted_at", "merged_into", "first_seen_at", "checked_at", "changed_at"}
"""What is so now, and no part of a version."""


@pytest.mark.parametrize("entity", ["customer", "card"])
def test_analysts_views_show_what_the_masked_view_has(warehouse: Warehouse, entity: str) -> None:
    masked = columns(warehouse, f"secret.{entity}_masked") - FOR_JOINS_ONLY

    assert masked - columns(warehouse, f"analytics.{entity}_history") - KEPT_BY_HISTORY_ALONE == set()
    present = {"card_valid_to": "valid_to"}
    shown = {present.get(name, name) for name in masked - {"valid_from", "valid_to"}}
    assert shown - columns(warehouse, f"analytics.{entity}") == set()
