"""Every identifier of a person, planted wherever the warehouse can keep one, and looked for everywhere after the erasure."""

import json
from uuid import uuid4

import pytest

from fixtures.persons import Persons
from fixtures.pulls import phone_in
from privacy.test_neighbours import add_customer, add_to_roster
from syrve.privacy.erase import renew_statistics
from syrve.privacy.export import export_customer
from syrve.warehouse.database import transaction
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging

NAME, SURNAME, PATRONYMIC = "Xochiquetzalina", "Huitzilopochtova", "Tezcatlipocovna"
EMAIL, TRACK, NUMBER, SHORT = "Xochi.Planted@example.com", "TRACK8841007", "7700441199", "1001"
STATISTICS = """
    select starelid::regclass::text
    from pg_statistic
    where concat_ws(' ', stavalues1, stavalues2, stavalues3, stavalues4, stavalues5) ilike any (%s)
        and (select relnamespace from pg_class where oid = starelid)::regnamespace::text <> 'pg_catalog'
"""

MIRROR = """
    update syrve.customer set name = %(name)s, surname = %(surname)s, is_deleted = true where customer_id = %(m)s;
    insert into sync.roster (organization_id, identity_kind, identity_value, source, customer_id, outcome)
    values (%(o)s, 'id', %(m)s, 'test', %(c)s, 'found'), (%(o)s, 'card', %(track)s, 'test', %(c)s, 'found');
    insert into syrve.card (organization_id, customer_id, card_id, track, number, changed_at)
    values (%(o)s, %(c)s, gen_random_uuid(), %(track)s, %(number)s, now());
    update syrve.customer set referrer_id = %(c)s where customer_id = %(friend)s;
    insert into syrve.customer_version (organization_id, customer_id, referrer_id, is_deleted, extra, valid_from, valid_to)
    values (%(o)s, %(friend)s, %(c)s, false, '{}', now() - interval '2 days', now() - interval '1 day');
    insert into crm.customer_card (crm_id, track, wanted, number)
    select crm_id, %(track)s, true, %(number)s from crm.customer where organization_id = %(o)s
"""


class Traces:
    """What was planted of one person, and where some of it is left."""

    def __init__(self, persons: Persons) -> None:
        self.persons = persons
        self.merged_id = str(uuid4())
        phone = persons.phone
        self.values = (
            *(NAME, SURNAME, PATRONYMIC, EMAIL, TRACK, NUMBER, persons.customer_id, self.merged_id),
            *(phone, phone[1:], f"8 ({phone[2:5]}) {phone[5:8]}-{phone[8:10]}-{phone[10:]}", f"8{phone[2:]}"),
        )

    def left(self) -> dict[str, int]:
        return self.persons.traces(*self.values)

    def in_statistics(self) -> set[str]:
        return {name for (name,) in self.persons.rows(STATISTICS, [f"%{value}%" for value in self.values])}

    def plant(self) -> None:
        persons = self.persons
        persons.change(name=NAME, surname=SURNAME, middleName=PATRONYMIC, email=EMAIL)
        persons.known_in_every_way()
        self.plant_in_the_mirror()
        self.plant_rejects()
        self.plant_money()
        persons.plan_push()

    def plant_in_the_mirror(self) -> None:
        persons = self.persons
        values = {"o": persons.organization_id, "c": persons.customer_id, "m": self.merged_id}
        values |= {
            "track": TRACK,
            "number": NUMBER,
            "name": NAME,
            "surname": SURNAME,
            "email": EMAIL,
            "phone": persons.phone,
        }
        add_customer(persons, persons.phone, email=EMAIL, customer_id=self.merged_id)
        friend = add_customer(persons, "+79990004455")
        persons.execute(MIRROR, values | {"friend": friend})
        for activated_by in (persons.phone, persons.customer_id, EMAIL, f"card {TRACK}"):
            persons.execute(
                "insert into syrve.coupon (organization_id, number, series_id, activated_by, verdict, checked_at) "
                "values (%s, gen_random_uuid()::text, gen_random_uuid(), %s, 'used', now())",
                persons.organization_id,
                activated_by,
            )

    def plant_rejects(self) -> None:
        for place, (identity, payload) in enumerate(
            (
                (f"card {TRACK}", {}),
                (f"card_number {NUMBER}", {}),
                ("line 1", {"card_track": TRACK}),
                ("line 2", {"text": f"his card is {NUMBER}."}),
                ("line 2", {"text": f"{NUMBER[:4]} {NUMBER[4:8]}-{NUMBER[8:]}"}),
                ("line 3", {"text": f"write to {EMAIL}."}),
                ("line 4", {"text": f"<mailto:{EMAIL.upper()}>|{NAME}"}),
                ("line 5", {"text": f"email={EMAIL}&x"}),
            )
        ):
            self.persons.execute(
                "insert into sync.reject (run_id, entity, organization_id, identity, stage, reason, payload) "
                "values ('r', 'roster', %(o)s, %(identity)s, 'import', %(reason)s, %(payload)s)",
                {
                    "o": self.persons.organization_id,
                    "identity": identity,
                    "reason": f"reason {place}",
                    "payload": json.dumps(payload | {"name": NAME}),
                },
            )

    def plant_money(self) -> None:
        persons = self.persons
        persons.purse.do("topup", "3.00", key=f"list:{persons.phone}", comment=f"for {NAME}")
        values = {"o": persons.organization_id, "c": persons.customer_id, "w": persons.purse.wallet_id}
        persons.execute(
            "insert into wallet.campaign_version (campaign, version, digest, rows, amount, rejected_rows, run_id) "
            "values ('planted', 1, repeat('0', 64), 1, 1, 0, 'r')"
        )
        persons.execute(
            "insert into wallet.campaign_row (campaign, version, row_key, organization_id, customer_id, wallet_id, amount, comment) "
            "values ('planted', 1, %(key)s, %(o)s, %(c)s, %(w)s, 1, %(name)s)",
            values | {"key": f"{persons.organization_id}:{persons.phone[1:]}", "name": NAME},
        )


@pytest.fixture
def traces(persons: Persons) -> Traces:
    planted = Traces(persons)
    planted.plant()
    return planted


def test_search_finds_every_planted_place(traces: Traces) -> None:
    traces.persons.execute("analyze")

    places = {
        "syrve.customer",
        "syrve.customer_version",
        "syrve.card",
        "syrve.coupon",
        "crm.customer",
        "crm.customer_card",
    }
    places |= {"crm.push_plan", "sync.roster", "sync.reject", "sync.signal", "wallet.operation", "wallet.campaign_row"}

    assert places <= set(traces.left())
    assert {"syrve.customer", "sync.roster", "wallet.operation"} <= traces.in_statistics()
    for value in (NAME, SURNAME, PATRONYMIC, EMAIL, TRACK, NUMBER, traces.merged_id):
        assert traces.persons.traces(value), value


def test_no_identifier_is_left_in_a_table_or_statistic(traces: Traces) -> None:
    traces.persons.execute("analyze")

    done = traces.persons.erase()
    assert renew_statistics(traces.persons.warehouse) > 10

    assert done["people"] == 2, "the customer who was merged into the person goes too"
    assert traces.left() == {}
    assert traces.in_statistics() == set()


def test_merged_customer_is_erased_by_either_id(traces: Traces) -> None:
    persons = traces.persons

    plan = persons.plan(id=traces.merged_id)

    assert (plan.people, dict(plan.rejected)) == (2, {})
    asked = persons.rows("select customer_id::text from privacy.erasure")
    assert {customer_id for (customer_id,) in asked} == {persons.customer_id, traces.merged_id}


def test_hold_of_one_id_keeps_the_other_too(traces: Traces) -> None:
    traces.persons.purse.do("hold", "5.00")

    plan = traces.persons.plan(id=traces.merged_id)

    assert plan.people == 0
    assert plan.hindered.total() == 2


def test_export_of_a_merged_person_has_both_ids(traces: Traces) -> None:
    for customer_id in (traces.persons.customer_id, traces.merged_id):
        found = export_customer(traces.persons.warehouse, traces.persons.organization_id, customer_id)

        assert {row["customer_id"] for row in found["syrve.customer"]} == {traces.persons.customer_id, traces.merged_id}
        assert "crm.customer" in found


def test_customer_with_the_phone_of_a_deleted_one_stays(persons: Persons) -> None:
    former = add_customer(persons, "+79990004477")
    persons.execute("update syrve.customer set is_deleted = true")
    owner = add_customer(persons, "+79990004477")
    add_to_roster(persons, "+79990004477", owner)

    persons.plan(id=former)
    persons.approve()

    assert persons.rows("select customer_id::text from privacy.erasure") == [(former,)], "phones pass on; ids do not"


@pytest.mark.parametrize("text", ["5000.00;1001;2026", "order 1001", "1001@example.com", "card 10011"])
def test_short_card_number_is_not_seen_in_amounts(persons: Persons, text: str) -> None:
    persons.execute(
        "insert into sync.roster (organization_id, identity_kind, identity_value, source, customer_id, outcome) "
        "values (%(o)s, 'card', %(card)s, 'test', %(c)s, 'found')",
        {"o": persons.organization_id, "card": SHORT, "c": persons.customer_id},
    )
    persons.erase()

    asked = "select privacy.names_erased(%s, %s)"
    assert persons.rows(asked, persons.organization_id, text) == [(False,)]
    for written in (f"card {SHORT} ; x", json.dumps({"card": SHORT}), json.dumps({"card_number": SHORT})):
        assert persons.rows(asked, persons.organization_id, written) == [(True,)]


def test_later_pull_names_no_erased_referrer(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()
    control, place = persons.purse.simulator.control, persons.purse.place + 1
    (other,) = control.customers_page(persons.organization_id, offset=place, limit=1)
    whose = (persons.organization_id, other["customer_id"])
    persons.import_roster(phone_in(other))
    control.change_customer(*whose, fields={"referrerId": persons.customer_id})
    try:
        assert persons.pull().changed == 1
        assert persons.rows("select referrer_id from syrve.customer where customer_id = %s", whose[1]) == [(None,)]
        assert persons.pull().changed == 0, "the same answer is no change"
    finally:
        control.change_customer(*whose, fields={"referrerId": None})
    assert persons.traces() == {}


def test_later_answer_about_a_coupon_names_no_erased_person(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()
    with persons.warehouse.connect() as connection:
        prepare_staging(connection)
        with transaction(connection, "merge coupons") as cursor:
            cursor.execute(
                "insert into staging_coupon (organization_id, number, series_id, activated_by, verdict, checked_at) "
                "select %s, place::text, gen_random_uuid(), said, 'used', now() from unnest(%s) with ordinality as one (said, place)",
                (persons.organization_id, [f"till 3, {persons.phone}", "till 3"]),
            )
            cursor.execute(sql("merge/coupon.sql"))

    assert persons.rows("select activated_by from syrve.coupon order by number") == [(None,), ("till 3",)]
