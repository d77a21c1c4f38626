"""Forgetting a person: what is left, and what brings nobody back."""

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pandas as pd
import psycopg2
import pytest

from fixtures.persons import ERASURE, SURNAME, Persons
from fixtures.pulls import phone_in
from syrve.privacy.erase import erase_people
from syrve.privacy.receipts import forget_again, write_receipts
from syrve.wallet.importing import WalletImport
from syrve.warehouse.errors import WarehouseError
from syrve.warehouse.runs import TaskKey


def test_person_is_known_before_the_erasure(persons: Persons) -> None:
    persons.known_in_every_way()

    found = persons.traces()

    expected = {
        "syrve.customer",
        "syrve.customer_version",
        "sync.roster",
        "sync.reject",
        "crm.customer",
        "sync.signal",
        "wallet.notified_movement",
        "wallet.operation",
    }
    assert expected <= set(found), "else the search would find nothing in any case"


def test_erasure_leaves_no_trace_of_the_person(persons: Persons) -> None:
    persons.known_in_every_way()

    done = persons.erase()

    assert persons.traces() == {}
    assert done["people"] == 1


def test_results_of_checks_lose_the_erased_customer_alone(persons: Persons) -> None:
    persons.known_in_every_way()

    persons.erase()

    ((failures, examples),) = persons.rows("select failures, examples from sync.check_result")
    assert (failures, [example["subject"] for example in examples]) == (2, [[persons.organization_id]])


def test_money_of_an_erased_customer_stays(persons: Persons) -> None:
    persons.known_in_every_way()
    before = persons.rows("select kind, amount from wallet.operation order by operation_id")

    persons.erase()

    assert persons.rows("select kind, amount from wallet.operation order by operation_id") == before
    ((pseudonym,),) = persons.rows("select pseudonym from privacy.erasure")
    assert {each for (each,) in persons.rows("select customer_id from wallet.operation")} == {pseudonym}
    ((balance,),) = persons.rows(
        "select max(balance) from syrve.wallet_balance_version where customer_id = %s", pseudonym
    )
    assert balance >= Decimal("100")


def test_pull_does_not_bring_an_erased_customer_back(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()
    other = persons.purse.simulator.control.customers_page(
        persons.organization_id, offset=persons.purse.place + 1, limit=1
    )[0]
    persons.import_roster(phone_in(other))
    phone = "+79990001122"
    persons.execute(
        "insert into sync.roster (organization_id, identity_kind, identity_value, source) values (%s, 'phone', %s, 'test')",
        persons.organization_id,
        phone,
    )
    persons.change(phone=phone)

    persons.pull()

    assert persons.rows("select phone from syrve.customer") == [(other["phone"],)], "the others land"
    assert persons.traces() == {}
    assert persons.rows("select count(*) from sync.roster where identity_value = %s", phone) == [(0,)]
    persons.change(phone=persons.phone)


def test_imports_do_not_bring_an_erased_person_back(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()

    persons.import_roster(persons.phone)
    crm = persons.import_crm()

    assert persons.traces() == {}
    assert (crm.changed, crm.rejected) == (0, 1)


def test_money_of_an_erased_customer_is_not_imported(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()
    row = {
        "record": "hold",
        "occurred_at": datetime.now(UTC).isoformat(),
        "customer_id": persons.customer_id,
        "wallet_id": persons.purse.wallet_id,
        "amount": "5.00",
        "hold_id": str(uuid4()),
    }
    job = WalletImport(
        persons.warehouse,
        key=TaskKey("till", "import"),
        source="till",
        organization_id=persons.organization_id,
    )

    counts = job.run([pd.DataFrame([row], dtype="object")])

    assert (counts.changed, counts.rejected) == (0, 1)
    assert persons.traces() == {}


def test_identity_found_later_erases_nobody_again(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()
    ((other,),) = persons.rows("select gen_random_uuid()")
    phone = "+79990001133"
    persons.execute(
        "select privacy.add_erased_identity(%s, %s, 'phone', %s)", persons.organization_id, persons.customer_id, phone
    )
    persons.execute(
        "alter table sync.roster disable trigger user"
    )  # as a backup from before, or an older program, has it
    persons.execute(
        "insert into sync.roster (organization_id, identity_kind, identity_value, customer_id, source) "
        "values (%s, 'phone', %s, %s, 'test')",
        persons.organization_id,
        phone,
        other,
    )
    persons.execute("alter table sync.roster enable trigger user")

    assert persons.rows("select count(*) from privacy.returned()") == [(0,)]
    assert persons.rows("select customer_id from sync.roster where identity_value = %s", phone) == [(other,)]


def test_crm_that_writes_an_erased_person_is_refused(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()

    with pytest.raises(WarehouseError, match="SY001") as refusal:
        persons.execute(
            "insert into crm.customer (organization_id, phone) values (%s, %s)", persons.organization_id, persons.phone
        )

    assert persons.phone not in str(refusal.value)


def test_reject_that_names_an_erased_person_is_not_kept(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()

    persons.execute(
        "insert into sync.reject (run_id, entity, organization_id, identity, stage, reason, payload) "
        "values ('r', 'roster', %s, 'line 3', 'import', 'made up', %s)",
        persons.organization_id,
        json.dumps({"text": f"8 ({persons.phone[2:5]}) {persons.phone[5:]}"}),
    )

    assert persons.rows("select count(*) from sync.reject where identity = 'line 3'") == [(0,)]


def test_signal_about_an_erased_person_is_not_kept(persons: Persons) -> None:
    persons.known_in_every_way()
    waiting = "select count(*) from sync.signal where taken_at is null"
    assert persons.rows(waiting) == [(2,)], "by both keys, and by the phone alone"
    persons.erase()
    assert persons.rows(waiting) == [(0,)]

    persons.report()
    assert persons.rows(waiting) == [(0,)]

    persons.execute(
        "insert into sync.signal (content_key, organization_id, kind, event_type, channel, customer_id) "
        "values (sha256('other'), %s, 'balance', 'balance', 'webhook', gen_random_uuid())",
        persons.organization_id,
    )
    assert persons.rows(waiting) == [(1,)], "that of another person is"


def test_receivers_login_sees_by_a_repeat_who_was_erased(
    persons: Persons, warehouse_dsn: str, make_login: Callable[[str], str]
) -> None:
    persons.known_in_every_way()
    persons.erase()
    add = (
        "insert into sync.signal (content_key, organization_id, kind, event_type, channel, customer_id) "
        "values (sha256(%s), %s, 'balance', 'balance', 'webhook', %s) on conflict do nothing"
    )
    log_in = warehouse_dsn.replace("postgres@", f"{make_login('syrve_receiver')}@")

    def rows_of_a_repeat(customer_id: str) -> list[int]:
        with closing(psycopg2.connect(log_in)) as connection, connection, connection.cursor() as cursor:
            counts = []
            for _ in range(2):
                cursor.execute(add, (customer_id.encode(), persons.organization_id, customer_id))
                counts.append(cursor.rowcount)
            return counts

    assert rows_of_a_repeat(str(uuid4())) == [1, 0]
    assert rows_of_a_repeat(persons.customer_id) == [1, 1]


@pytest.mark.parametrize(
    "written",
    [
        "{0}.{1}.{2}.{3}",
        "{0}/{1}/{2}/{3}",
        "{0}\u00a0{1}\u2011{2}\u00a0{3}",
        "{0}   {1}  {2} ({3})",
        "call 12 {0} {1}-{2}-{3} now",
    ],
)
def test_phone_is_known_in_whatever_form_it_is_written(persons: Persons, written: str) -> None:
    persons.known_in_every_way()
    persons.erase()
    phone = persons.phone
    text = written.format(phone[:2], phone[2:5], phone[5:8], phone[8:])

    assert persons.rows("select privacy.names_erased(%s, %s)", persons.organization_id, text) == [(True,)]
    wide = str.maketrans("0123456789+", "０１２３４５６７８９＋")
    assert persons.rows("select privacy.names_erased(%s, %s)", persons.organization_id, text.translate(wide)) == [
        (True,)
    ]
    for zero in ("\u0660", "\u06f0", "\u0966", "\U0001d7ce"):
        other = text.translate({ord("0") + digit: chr(ord(zero) + digit) for digit in range(10)})
        assert persons.rows("select privacy.names_erased(%s, %s)", persons.organization_id, other) == [(True,)]
    with persons.warehouse.transaction("test") as cursor:
        cursor.execute("set local standard_conforming_strings = off")
        cursor.execute("select privacy.names_erased(%s, %s)", (persons.organization_id, text))
        assert cursor.fetchall() == [(True,)]
    row = f"12;2026-11-28 10:00:00;5000.00;4276123412341234;{text}"
    assert persons.rows("select privacy.names_erased(%s, %s)", persons.organization_id, row) == [(True,)]
    assert persons.rows("select privacy.names_erased(%s, '+7 975 000-99-99')", persons.organization_id) == [(False,)]


def test_push_plan_refuses_an_erased_phone(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()
    national = "8" + "".join(f" {letters}" for letters in (persons.phone[2:5], persons.phone[5:8], persons.phone[8:]))
    persons.execute("alter table crm.customer disable trigger user")  # a form of writing that nobody has thought of
    persons.execute(
        "insert into crm.customer (organization_id, phone, name) values (%s, %s, 'Again')",
        persons.organization_id,
        national,
    )
    persons.execute("alter table crm.customer enable trigger user")

    plan = persons.plan_push()

    assert (plan.creates, plan.refused) == (0, 1)
    assert persons.rows("select reason from crm.push_blocked") == [
        ("this person was erased: delete the row in the CRM",)
    ]
    assert persons.rows("select count(*) from crm.push_plan") == [(0,)]


def test_identity_of_a_living_customer_is_not_taken_for_erased(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()
    place = persons.purse.place + 2
    (other,) = persons.purse.simulator.control.customers_page(persons.organization_id, offset=place, limit=1)
    persons.import_roster(phone_in(other))
    persons.pull()

    for kind, value in (("id", other["customer_id"]), ("phone", other["phone"])):
        whose = (persons.organization_id, persons.customer_id, kind, value)
        persons.execute("select privacy.add_erased_identity(%s, %s, %s, %s)", *whose)
        assert persons.rows("select privacy.is_erased(%s, %s, %s)", persons.organization_id, kind, value) == [(False,)]

    assert persons.rows("select count(*) from privacy.returned()") == [(0,)]


def test_identity_of_the_roster_never_becomes_another(persons: Persons) -> None:
    persons.import_roster("+79990001166")

    with pytest.raises(WarehouseError, match="CheckViolation"):
        persons.execute("update sync.roster set identity_value = '+79990001155'")


def test_repeated_erasure_changes_nothing_more(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()
    receipt = persons.rows("select erasure_id, removed from privacy.erasure")

    assert erase_people(persons.warehouse, ERASURE)["people"] == 0
    assert persons.rows("select erasure_id, removed from privacy.erasure") == receipt


def test_person_without_a_customer_is_erased_by_phone(persons: Persons) -> None:
    phone = "+79990001177"
    persons.import_roster(phone)
    persons.execute(
        "insert into crm.customer (organization_id, phone, surname) values (%s, %s, %s)",
        persons.organization_id,
        phone,
        SURNAME,
    )

    persons.plan(run_id="erasure", phone=phone)
    persons.approve()
    erase_people(persons.warehouse, ERASURE)

    assert persons.traces(phone, SURNAME) == {}


def test_restored_backup_does_not_bring_a_person_back(persons: Persons, tmp_path: Path) -> None:
    persons.known_in_every_way()
    persons.erase()
    assert write_receipts(persons.warehouse, ERASURE, tmp_path / "receipts") == 1
    persons.execute("truncate privacy.erased_key, privacy.erasure")  # as a backup of before has it, with the person
    persons.import_roster(persons.phone)
    persons.pull()
    assert "syrve.customer" in persons.traces()

    (tmp_path / "receipts" / "0-cut.json").write_text('{"erasure_id": "')
    (tmp_path / "receipts" / "1-other.json").write_text("{}")
    assert forget_again(persons.warehouse, tmp_path / "receipts") == (1, 1, 2)

    assert persons.traces() == {}
    (receipt,) = (tmp_path / "receipts").glob("????????-*.json")
    assert persons.phone not in receipt.read_text()
