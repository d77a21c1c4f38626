"""Rows that a CRM writes to do harm: none stops the plans of the others, and what was planned is not sent once it has moved."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import uuid4

import psycopg2
import pytest

from fixtures.pushes import NEW_PHONES, Pushing
from fixtures.waiting import wait_until
from syrve.crm.imports import CrmImport
from syrve.warehouse.errors import WarehouseError, WarehouseUnavailable

ODD_TEXTS = [
    "\x01\x7f",
    "\u202eтекст",
    "\ufffe\U0010ffff",
    "𝒳" * 999,
    '"\\',
    "%s %(x)s",
    "{{ 7 * 7 }}",
    '{"a": [null]}',
    "a\r\nX-Header: 1",
    "=1+1",
    "null",
]
CARDS = "insert into crm.customer_card (crm_id, track) select %s, %s || number from generate_series(1, %s) as number"


def importer(pushing: Pushing) -> CrmImport:
    organization_id = pushing.organization_id
    return CrmImport(pushing.warehouse, key=pushing.key("import"), region="RU", organization_id=organization_id)


@pytest.mark.parametrize("name", ["name", "surname", "email"])
def test_odd_texts_reach_syrve_as_they_are(pushing: Pushing, name: str) -> None:
    pushing.simulator.control.reset_calls()
    for text in ODD_TEXTS:
        pushing.set_desired(phone=next(NEW_PHONES), **{name: text})

    assert pushing.push().changed == len(ODD_TEXTS)

    assert sorted(body[name] for body in pushing.sent()) == sorted(ODD_TEXTS)


@pytest.mark.parametrize(
    ("name", "value", "constraint"),
    [
        ("phone", "8" * 201, "customer_phone_length"),
        ("name", "x" * 10_001, "customer_texts_length"),
        ("email", "x" * 10_001, "customer_texts_length"),
        ("clear", ["phone"], "customer_clear_known_fields"),
        ("clear", [None], "customer_clear_known_fields"),
        ("clear", [["name", "crm_id"]], "customer_clear_known_fields"),
    ],
)
def test_row_that_no_plan_could_read_is_refused(pushing: Pushing, name: str, value: Any, constraint: str) -> None:
    with pytest.raises(WarehouseError, match=constraint):
        pushing.set_desired(**{"phone": next(NEW_PHONES), name: value})


@pytest.mark.parametrize("track", ["", "x" * 201])
def test_card_that_is_no_track_is_refused(pushing: Pushing, track: str) -> None:
    crm_id = pushing.set_desired(phone=next(NEW_PHONES))

    with pytest.raises(WarehouseError, match="customer_card_track_length"):
        pushing.execute("insert into crm.customer_card (crm_id, track) values (%s, %s)", crm_id, track)


def test_row_has_a_thousand_memberships_at_most(pushing: Pushing) -> None:
    crm_id = pushing.set_desired(phone=next(NEW_PHONES))
    pushing.execute(CARDS, crm_id, "A", 1_000)

    for more in (
        "insert into crm.customer_card (crm_id, track) values (%s, 'B')",
        "insert into crm.customer_category (crm_id, category_id) values (%s, gen_random_uuid())",
        "insert into crm.customer_program (crm_id, program_id) values (%s, gen_random_uuid())",
    ):
        with pytest.raises(WarehouseError, match="customer_memberships_bounded"):
            pushing.execute(more, crm_id)

    pushing.execute("delete from crm.customer_card where track = 'A1'")
    pushing.execute("insert into crm.customer_card (crm_id, track) values (%s, 'B')", crm_id)


def test_joined_rows_have_a_thousand_memberships_at_most(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    first = pushing.set_desired_of(person)
    second = pushing.set_desired_of(person, name="Второй")
    pushing.execute(CARDS, first, "A", 600)
    pushing.execute(CARDS, second, "B", 600)
    pushing.set_desired(phone=next(NEW_PHONES), name="Другой")

    plan = pushing.plan()

    assert plan.size == 2
    assert pushing.changes(plan)[first]["name"][1] == "Второй", "its fields are taken over"
    assert pushing.value("select count(*) from crm.customer_card where crm_id = %s", first) == 600


def test_import_rejects_lines_with_too_many_memberships(pushing: Pushing) -> None:
    crowded, other = next(NEW_PHONES), next(NEW_PHONES)
    rows = [{"phone": crowded, "card_track": f"A{number}"} for number in range(1_001)]
    rows += [{"phone": other, "card_track": "C1", "name": "Анна"}, {"phone": crowded, "name": "Борис"}]
    counts = importer(pushing).run(rows)

    assert (counts.rejected, counts.found) == (1_001, 2)
    assert pushing.rows("select name from crm.customer order by name") == [("Анна",), ("Борис",)]
    assert pushing.rows("select track from crm.customer_card") == [("C1",)]
    [(reason,)] = pushing.rows("select distinct reason from sync.reject where stage = 'import'")
    assert reason == "the customer would have more than 1,000 categories, cards and programmes"


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("customer_card", "track", lambda: f"T{uuid4().hex[:10]}"),
        ("customer_category", "category_id", lambda: str(uuid4())),
        ("customer_program", "program_id", lambda: str(uuid4())),
    ],
)
def test_membership_that_moved_is_not_sent_as_planned(
    cloud_pushing: Pushing, table: str, column: str, value: Any
) -> None:
    pushing = cloud_pushing
    one, other = (pushing.set_desired_of(person) for person in pushing.mirrored(2))
    pushing.execute(f"insert into crm.{table} (crm_id, {column}) values (%s, %s)", one, value())
    plan = pushing.plan()

    pushing.execute(f"update crm.{table} set crm_id = %s where crm_id = %s", other, one)

    assert pushing.apply(plan).changed == 0
    assert pushing.states(plan) == {one: "stale"}
    assert list(pushing.changes(pushing.plan())) == [other]


def test_number_of_a_row_may_be_any_above_zero(pushing: Pushing) -> None:
    pushing.set_desired(crm_id=2**63 - 1, phone=next(NEW_PHONES), name="Анна")
    pushing.set_desired(phone=next(NEW_PHONES), name="Борис")
    for crm_id in (0, -1, -(2**63)):
        with pytest.raises(WarehouseError, match="customer_crm_id_above_zero"):
            pushing.set_desired(crm_id=crm_id, phone=next(NEW_PHONES))

    assert pushing.push().changed == 2


def last_number(pushing: Pushing) -> int:
    return int(pushing.value("select nextval(pg_get_serial_sequence('crm.customer', 'crm_id'))"))


def test_import_writes_over_no_number_that_the_crm_gave(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    number = last_number(pushing)
    phone = next(NEW_PHONES)
    for crm_id in (number + 1, number + 2):
        pushing.set_desired_of(person, crm_id=crm_id, name="Анна")

    counts = importer(pushing).run([{"phone": phone, "name": "Борис", "card_track": f"T{uuid4().hex[:10]}"}])

    assert counts.rejected == 0
    assert pushing.rows("select crm_id, name, phone from crm.customer order by crm_id") == [
        (number + 1, "Анна", None),
        (number + 2, "Анна", None),
        (number + 3, "Борис", phone),
    ]
    assert pushing.rows("select crm_id from crm.customer_card") == [(number + 3,)]


def test_number_that_the_crm_gives_meanwhile_is_not_written_over(pushing: Pushing, warehouse_dsn: str) -> None:
    number = last_number(pushing)
    with closing(psycopg2.connect(warehouse_dsn)) as crm, ThreadPoolExecutor(1) as pool:
        with crm.cursor() as cursor:
            insert = "insert into crm.customer (crm_id, organization_id, name) values (%s, %s, 'Анна')"
            cursor.execute(insert, (number + 1, pushing.organization_id))
        importing = pool.submit(importer(pushing).run, [{"phone": next(NEW_PHONES), "name": "Борис"}])
        waiting = "select count(*) from pg_stat_activity where %s = any(pg_blocking_pids(pid))"
        wait_until(lambda: pushing.value(waiting, crm.get_backend_pid()) > 0)
        crm.commit()

        with pytest.raises(WarehouseUnavailable, match="the CRM gave the number"):
            importing.result()

    assert pushing.rows("select crm_id, name from crm.customer") == [(number + 1, "Анна")]


def test_rows_of_others_are_left_alone_and_stop_nobody(pushing: Pushing) -> None:
    elsewhere = pushing.simulator.control.organizations()[1]["organization_id"]
    [stranger] = pushing.simulator.control.customers_page(elsewhere, limit=1)
    pushing.set_desired(organization_id=elsewhere, phone=next(NEW_PHONES), name="Чужая")
    pushing.set_desired(organization_id=str(uuid4()), phone=next(NEW_PHONES), name="Ничья")
    pushing.set_desired(customer_id=stranger["customer_id"], name="Из другой")
    for birthday in ("infinity", "-infinity", "5874897-12-31", "0001-01-01 BC"):
        pushing.set_desired(phone=next(NEW_PHONES), birthday=birthday)
    good = pushing.set_desired(phone=next(NEW_PHONES), name="Анна")

    plan = pushing.plan()

    assert (pushing.apply(plan).changed, list(pushing.states(plan))) == (1, [good])
