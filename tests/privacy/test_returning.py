"""What comes back after an erasure: a file, a new customer under the same number, a report of an order; and receipts that are missing."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest

from fixtures.persons import SURNAME, Persons, erasure_run
from fixtures.pulls import phone_in
from privacy.test_neighbours import add_customer, erase
from syrve.crm.imports import CrmImport
from syrve.customers.roster import RosterImport
from syrve.privacy.erase import erase_people
from syrve.privacy.receipts import forget_again, write_missing_receipts, write_receipts
from syrve.sources.bad_rows import BadRows
from syrve.warehouse.runs import TaskKey

OTHER = "+79990001144"


@pytest.fixture
def forgotten(persons: Persons) -> Persons:
    persons.known_in_every_way()
    persons.erase()
    return persons


def rejected(persons: Persons, kind: Any, rows: list[dict[str, str]]) -> str:
    """Import rows and return the file of the bad ones."""
    with BadRows() as bad_rows:
        kind(persons.warehouse, key=TaskKey("again", "import"), region="RU", bad_rows=bad_rows, **SOURCE[kind]).run(
            rows
        )
        return b"".join(bad_rows.pieces(list(rows[0]))).decode()


SOURCE: dict[Any, dict[str, str]] = {CrmImport: {}, RosterImport: {"source": "file"}}


@pytest.mark.parametrize("kind", SOURCE)
def test_file_of_bad_rows_names_no_erased_person(forgotten: Persons, kind: Any) -> None:
    phone = forgotten.phone
    row = {"organization_id": forgotten.organization_id, "phone": phone, "surname": SURNAME}
    written = f"{phone[2:5]} {phone[5:8]}-{phone[8:]}"
    bad = {"phone": f"{SURNAME} has {written} or another, who knows"}
    other = {"phone": "Kept", "surname": "Kept"}

    text = rejected(forgotten, kind, [row, row | bad, row | other])

    lines = text.splitlines()
    assert SURNAME not in text
    assert phone[2:5] not in text
    assert [line for line in lines if "Kept" in line], "what is to be mended of others is there"
    assert len(lines) == 1 + 3, "each bad row has its line and its reason"


@pytest.mark.parametrize("dry_run", [True, False])
def test_roster_import_rejects_erased_people_by_line(forgotten: Persons, dry_run: bool) -> None:
    """Chunks far apart name the person again; of the others each is counted as new once."""
    job = RosterImport(forgotten.warehouse, key=TaskKey("again", "import"), source="file", region="RU", dry_run=dry_run)
    chunks = [[forgotten.phone, "+79758880001"], [forgotten.phone, "+79758880001"], ["+79758880002"]]
    organization_id = forgotten.organization_id

    counts = job.run(
        [pd.DataFrame([{"organization_id": organization_id, "phone": one} for one in each]) for each in chunks]
    )

    assert (counts.requested, counts.found, counts.changed, counts.rejected) == (5, 3, 2, 2)
    assert forgotten.traces(forgotten.phone) == {}


def known_by_id(persons: Persons, **fields: object) -> tuple[Any, str]:
    """A customer of Syrve of whom the roster has the id alone, with some of the erased person's values."""
    control, place = persons.purse.simulator.control, persons.purse.place + 3
    (other,) = control.customers_page(persons.organization_id, offset=place, limit=1)
    control.change_customer(persons.organization_id, other["customer_id"], fields=fields)
    persons.execute(
        "insert into sync.roster (organization_id, identity_kind, identity_value, source) values (%s, 'id', %s, 'test') "
        "on conflict do nothing",
        persons.organization_id,
        other["customer_id"],
    )
    return other, str(other["customer_id"])


@pytest.mark.parametrize("kind", ["phone", "email"])
def test_new_customer_under_an_erased_identity_is_left_out(forgotten: Persons, kind: str) -> None:
    value = forgotten.phone if kind == "phone" else "planted@example.com"
    forgotten.change(phone=OTHER, email="another@example.com")
    other, customer_id = known_by_id(forgotten, **{kind: value.upper()})
    try:
        forgotten.pull()

        assert forgotten.traces(value) == {}
        assert forgotten.rows("select count(*) from syrve.customer where customer_id = %s", customer_id) == [(0,)]
        assert forgotten.rows("select count(*) from sync.roster where identity_value = %s", customer_id) == [(0,)]

        forgotten.rows("select privacy.allow_again(%s, %s, %s)", forgotten.organization_id, kind, value)
        known_by_id(forgotten)
        forgotten.pull()
        assert forgotten.rows("select count(*) from syrve.customer where customer_id = %s", customer_id) == [(1,)]
    finally:
        known = {"phone": phone_in(other), "email": other.get("email")}
        forgotten.purse.simulator.control.change_customer(forgotten.organization_id, customer_id, fields=known)
        forgotten.change(phone=forgotten.phone, email=None)


def test_known_customer_who_takes_an_erased_number_stays(forgotten: Persons) -> None:
    forgotten.change(phone=OTHER)
    other, customer_id = known_by_id(forgotten)
    try:
        forgotten.pull()
        known_by_id(forgotten, phone=forgotten.phone)
        forgotten.pull()

        asked = "select phone from syrve.customer where customer_id = %s"
        assert forgotten.rows(asked, customer_id) == [(forgotten.phone,)]
    finally:
        known = {"phone": phone_in(other)}
        forgotten.purse.simulator.control.change_customer(forgotten.organization_id, customer_id, fields=known)
        forgotten.change(phone=forgotten.phone)


def test_receipt_of_a_second_erasure_can_be_read(persons: Persons, tmp_path: Path) -> None:
    for run_id in ("first", "second"):
        persons.plan(run_id, phone=OTHER)
        persons.approve(run_id)
        assert erase_people(persons.warehouse, erasure_run(run_id))["people"] == 1
        assert write_receipts(persons.warehouse, erasure_run(run_id), tmp_path) == 1
    persons.execute("truncate privacy.erased_key, privacy.erasure")  # a backup of before

    assert forget_again(persons.warehouse, tmp_path) == (2, 0, 0)
    assert persons.rows("select privacy.is_erased(%s, 'phone', %s)", persons.organization_id, OTHER) == [(True,)]


def test_missing_receipt_is_written_once(forgotten: Persons, tmp_path: Path) -> None:
    folder = tmp_path / "receipts"

    assert write_missing_receipts(forgotten.warehouse, folder) == 1
    assert write_missing_receipts(forgotten.warehouse, folder) == 0

    forgotten.execute("truncate privacy.erased_key, privacy.erasure")
    assert forget_again(forgotten.warehouse, folder) == (1, 0, 0)


def test_attempts_of_a_push_lose_the_number_of_the_crm(persons: Persons) -> None:
    persons.known_in_every_way()
    ((crm_id,),) = persons.rows("select crm_id from crm.customer")
    for number in (crm_id, crm_id + 1):
        persons.execute(
            "insert into crm.push (plan_id, crm_id, organization_id, customer_id, step, operation, fields, outcome, run_id, attempted_at) "
            "values (1, %s, %s, null, 0, 'create_or_update', '{name}', 'acknowledged', 'r', now())",
            number,
            persons.organization_id,
        )

    persons.erase()

    assert persons.rows("select crm_id < 0, crm_id from crm.push where crm_id <> %s", crm_id + 1) == [(True, -1)]
    assert persons.rows("select count(*) from crm.push") == [(2,)], "the other row's attempt is as it was"


@pytest.mark.parametrize("form", ["{}", "+{}", "8{9}", "guest {}"])
def test_order_that_is_called_by_the_phone_is_renamed(persons: Persons, form: str) -> None:
    persons.known_in_every_way()
    order_id = form.replace("{9}", persons.phone[2:]).format(persons.phone[1:])
    organization_id = persons.organization_id
    persons.execute(
        "update wallet.operation set order_id = %s where kind = 'hold'; update wallet.hold set order_id = %s",
        order_id,
        order_id,
    )
    for one in (order_id, "4711"):
        for state in ("open", "completed"):
            persons.execute(
                "insert into wallet.payment_order as known (organization_id, order_id, state, state_at, source) "
                "values (%s, %s, %s, now(), 'till') on conflict (organization_id, order_id) do update "
                "set state = excluded.state, state_at = excluded.state_at",
                *(organization_id, one, state),
            )
    persons.execute(
        "insert into wallet.finding (rule, subject, organization_id, amount_at_risk, severity, first_seen_at, last_seen_at, evidence) "
        "values ('completed_order_unpaid', 'order:' || %(o)s || ':' || %(i)s, %(o)s, 1, 'high', now(), now(), "
        "jsonb_build_object('order_id', %(i)s::text))",
        {"o": organization_id, "i": order_id},
    )
    assert persons.traces(persons.phone[2:]).keys() >= {"wallet.operation", "wallet.payment_order", "wallet.finding"}

    persons.erase()

    assert persons.traces(persons.phone[2:]) == {}
    found = persons.rows(
        "select reported.state, exists (select from wallet.operation as moved where moved.order_id = reported.order_id), "
        "(select count(*) from wallet.payment_order_version as version where version.order_id = reported.order_id), "
        "(select count(*) from wallet.finding where subject = 'order:' || reported.organization_id || ':' || reported.order_id) "
        "from wallet.payment_order as reported where order_id <> '4711'"
    )
    assert found == [("completed", True, 2, 1)], "the order is one, under another name"
    assert persons.rows("select state from wallet.payment_order where order_id = '4711'") == [("completed",)]


def test_order_of_a_neighbour_keeps_its_name(persons: Persons) -> None:
    customer_id = add_customer(persons, OTHER)
    longer = OTHER[1:] + "5"
    for one in (longer, str(uuid4())):
        persons.execute(
            "insert into wallet.payment_order (organization_id, order_id, state, state_at) values (%s, %s, 'open', now())",
            *(persons.organization_id, one),
        )
    before = persons.rows("select * from wallet.payment_order order by order_id")

    erase(persons, customer_id)

    assert persons.rows("select * from wallet.payment_order order by order_id") == before


CONTESTED = """
    insert into wallet.contested_ending (hold_id, organization_id, kind, source, idempotency_key, reported_organization_id, occurred_at)
    select hold_id, %(o)s, 'cancel_hold', 'import:till', unnest(array[%(k)s, 'till:4711']), %(o)s, now() from wallet.hold;
    insert into wallet.finding (rule, subject, organization_id, severity, first_seen_at, last_seen_at, evidence)
    values ('hold_end_contested', 'hold:1', %(o)s, 'high', now(), now(), jsonb_build_object('ends', jsonb_build_array(
        jsonb_build_object('key', %(k)s::text))))
"""


def test_contested_end_loses_the_phone_in_its_key(persons: Persons) -> None:
    persons.known_in_every_way()
    key = f"till:{persons.phone}"
    values = {"o": persons.organization_id, "k": key}
    persons.execute(CONTESTED, values)

    persons.erase()

    assert persons.traces() == {}
    ((kept,), (other,)) = persons.rows("select idempotency_key from wallet.contested_ending order by 1")
    assert (kept.startswith("erased "), other) == (True, "till:4711")
    assert persons.rows("select evidence #>> '{ends,0,key}' from wallet.finding") == [(kept,)]
