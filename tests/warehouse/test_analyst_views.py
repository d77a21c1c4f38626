"""What an analyst sees of people: enough to count and join them, and nobody's name, phone or e-mail address."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from fixtures.pulls import Syncing
from syrve.wallet.operations import imported_operation_id
from syrve.warehouse.database import Warehouse
from syrve.warehouse.errors import WarehouseConfigError
from syrve_simulator.process import start_simulator

VIEWS = """
    select relname from pg_class
    where relnamespace = 'analytics'::regnamespace and relkind in ('v', 'm', 'r')
    order by relname
"""
PERSONAL = {
    "name": "Кенариус",
    "surname": "Canarinsky",
    "middleName": "Birdson",
    "email": "Canary.Kenar@example.com",
    "phone": "+79757771234",
}
HASHES = "select phone_hash, email_hash from analytics.customer where customer_id = %s order by organization_id"


@pytest.fixture
def analyst(syncing: Syncing, make_login: Callable[[str], str]) -> Warehouse:
    return Warehouse(syncing.warehouse.url.set(username=make_login("syrve_analyst")))


@pytest.fixture
def person(syncing: Syncing) -> dict[str, Any]:
    """One customer, known to two organizations, whose mirror holds all that is personal; and a version of them before."""
    [customer] = syncing.customers(1)
    syncing.add(phone=[customer["phone"]])
    syncing.pull()
    with syncing.warehouse.transaction("make a canary") as cursor:
        cursor.execute(
            """
            update syrve.customer
            set name = %(name)s, surname = %(surname)s, middle_name = %(middleName)s, email = %(email)s, phone = %(phone)s,
                phone_raw = %(phone)s, birthday = '1990-05-17', extra = jsonb_build_object('comment', %(surname)s::text);
            update syrve.card set track = 'CANARYTRACK77', number = 'CANARYCARD88';
            insert into syrve.customer
            select gen_random_uuid() as organization_id, customer_id, phone, phone_raw, lower(email), name, surname, middle_name,
                birthday, sex, referrer_id, program_id, program_name, receives_order_status, receives_promo, consent_from,
                consent_to, is_deleted, extra, digest, first_seen_at, changed_at, fetched_at, profile_changed_at
            from syrve.customer;
            insert into syrve.customer_version (organization_id, customer_id, phone, phone_raw, email, name, surname,
                middle_name, birthday, sex, is_deleted, extra, valid_from, valid_to)
            select organization_id, customer_id, phone, phone_raw, email, name, surname, middle_name, birthday, sex,
                is_deleted, extra, profile_changed_at - interval '2 days', profile_changed_at - interval '1 day'
            from syrve.customer;
            insert into syrve.coupon (organization_id, number, series_id, activated_by, verdict, checked_at)
            values (gen_random_uuid(), 'CANARY-COUPON-77', gen_random_uuid(), %(name)s, 'valid', now())
            """,
            PERSONAL,
        )
    return dict(customer)


def rows(warehouse: Warehouse, query: str, *values: object) -> list[tuple[Any, ...]]:
    with warehouse.transaction("read") as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchall()


@pytest.mark.usefixtures("person")
def test_every_view_is_there_for_the_analyst_and_none_holds_what_is_personal(
    syncing: Syncing, analyst: Warehouse
) -> None:
    views = [name for (name,) in rows(analyst, VIEWS)]
    told = {name: str(rows(analyst, f"select to_jsonb(seen)::text from analytics.{name} as seen")) for name in views}
    mirror = str(rows(syncing.warehouse, "select to_jsonb(seen)::text from syrve.customer as seen"))

    planted = [*PERSONAL.values(), "79757771234", "CANARYTRACK77", "CANARYCARD88", "CANARY-COUPON-77", "1990-05-17"]
    assert all(value.lower() in mirror.lower() for value in PERSONAL.values()), "the search would find nothing"
    assert {"customer", "customer_history", "wallet_balance_history", "card", "coupon", "sync_freshness"} <= set(views)
    assert [(name, value) for name in views for value in planted if value.lower() in told[name].lower()] == []
    assert all(told[name] != "[]" for name in ("customer", "customer_history", "coupon"))


def test_same_person_has_the_same_hash_in_every_organization_and_another_under_another_key(
    syncing: Syncing, analyst: Warehouse, person: dict[str, Any]
) -> None:
    first, second = rows(analyst, HASHES, person["customer_id"])
    with syncing.warehouse.transaction("change the key") as cursor:
        cursor.execute("select key from secret.hash_key")
        [(key,)] = cursor.fetchall()
        cursor.execute("update secret.hash_key set key = sha256(key)")
    try:
        changed, _ = rows(analyst, HASHES, person["customer_id"])
    finally:
        with syncing.warehouse.transaction("give the key back") as cursor:
            cursor.execute("update secret.hash_key set key = %s", (key,))

    assert first == second
    assert first[0] != changed[0]
    assert first[1] != changed[1]


@pytest.mark.usefixtures("person")
def test_list_that_the_owner_hashes_joins_with_what_the_analyst_sees(syncing: Syncing, analyst: Warehouse) -> None:
    hashed = rows(
        syncing.warehouse,
        "select encode(sha256(key || sha256(key || convert_to(%s, 'UTF8'))), 'hex') from secret.hash_key",
        PERSONAL["phone"],
    )

    assert rows(analyst, "select distinct phone_hash from analytics.customer") == hashed


def test_id_of_an_imported_movement_tells_no_key(syncing: Syncing, analyst: Warehouse) -> None:
    guessed = imported_operation_id("import:till", PERSONAL["phone"])
    for kind, operation_id in (("topup", guessed), ("hold", GIVEN)):
        with syncing.warehouse.transaction("import") as cursor:
            cursor.execute(
                "insert into wallet.operation (operation_id, kind, organization_id, customer_id, wallet_id, amount, source, requested_at) "
                "values (%s, %s, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 5, 'import:till', now())",
                (operation_id, kind),
            )

    query = "select movement_id::text from analytics.wallet_movement where kind = %s"
    ((seen,),) = rows(analyst, query, "topup")

    assert seen != guessed, "whoever tries all phones as keys must not find the guest of one"
    assert rows(analyst, query, "topup") == [(seen,)], "equal each time, so that it can be joined"
    assert rows(analyst, query, "hold") == [(GIVEN,)], "the id of a hold is the till's own"


GIVEN = "0f000000-0000-4000-8000-00000000aaaa"
OUTSIDERS_KNOW = "phone_masked, email_masked, age_band, sex, program_name, is_deleted"
"""What somebody who knows a guest may know of them; consents and ids are not among it."""


def test_masks_show_that_something_is_there_and_not_what(analyst: Warehouse, person: dict[str, Any]) -> None:
    query = "select distinct phone_masked, email_masked, age_band from {} where customer_id = %s"

    for view in ("analytics.customer", "analytics.customer_history"):
        seen = rows(analyst, query.format(view), person["customer_id"])
        assert ("+7***", "***", "25-44") in seen


@pytest.mark.parametrize(("customers", "share"), [(1000, 0.95), (300, 0.8)])
def test_masked_customers_are_alike_in_groups(
    syncing: Syncing, analyst: Warehouse, customers: int, share: float
) -> None:
    with start_simulator(customers=2 * customers, seed=11) as crowded:
        crowd = replace(syncing, simulator=crowded, config=replace(syncing.config, base_url=crowded.url))
        crowd.add(phone=[customer["phone"] for customer in crowd.customers(customers)])
        crowd.pull(batch_size=500)
    sizes = sizes_of_groups(analyst)

    assert sum(sizes) >= customers / 2
    assert sum(size for size in sizes if size >= 5) >= share * sum(sizes)


def sizes_of_groups(analyst: Warehouse) -> list[int]:
    groups = rows(
        analyst,
        f"select organization_id, {OUTSIDERS_KNOW}, count(*) from analytics.customer group by organization_id, {OUTSIDERS_KNOW}",
    )
    return [row[-1] for row in groups]


@pytest.mark.parametrize(
    ("years", "band"),
    [
        (17, "under 25"),
        (24, "under 25"),
        (25, "25-44"),
        (44, "25-44"),
        (45, "45-64"),
        (64, "45-64"),
        (90, "65 and over"),
    ],
)
def test_age_band_is_that_of_this_year(syncing: Syncing, analyst: Warehouse, years: int, band: str) -> None:
    [customer] = syncing.customers(1)
    syncing.add(phone=[customer["phone"]])
    syncing.pull()
    with syncing.warehouse.transaction("set the birthday") as cursor:
        cursor.execute("update syrve.customer set birthday = current_date - make_interval(years => %s)", (years,))

    assert rows(analyst, "select age_band from analytics.customer") == [(band,)]


@pytest.mark.parametrize(("day", "years", "band"), [("12-31", 25, "25-44"), ("01-01", 24, "under 25")])
def test_age_band_tells_no_birthday_by_changing(
    syncing: Syncing, analyst: Warehouse, day: str, years: int, band: str
) -> None:
    [customer] = syncing.customers(1)
    syncing.add(phone=[customer["phone"]])
    syncing.pull()
    with syncing.warehouse.transaction("set the birthday") as cursor:
        cursor.execute(
            "update syrve.customer set birthday = (extract(year from now()) - %s || '-' || %s)::date", (years, day)
        )

    assert rows(analyst, "select age_band from analytics.customer") == [(band,)]


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [("-1", None, True), ("-1", "1", True), ("-2", "-1", False), ("1", None, False), (None, None, None)],
)
def test_consent_is_shown_as_in_force_or_not(
    syncing: Syncing, analyst: Warehouse, begin: str | None, end: str | None, expected: bool | None
) -> None:
    [customer] = syncing.customers(1)
    syncing.add(phone=[customer["phone"]])
    syncing.pull()
    with syncing.warehouse.transaction("set the consent") as cursor:
        cursor.execute(
            "update syrve.customer set consent_from = now() + %s * interval '1 day', consent_to = now() + %s * interval '1 day'",
            (begin, end),
        )

    assert rows(analyst, "select has_consent from analytics.customer") == [(expected,)]


def test_consent_of_the_past_is_that_of_its_version(syncing: Syncing, analyst: Warehouse) -> None:
    [customer] = syncing.customers(1)
    syncing.add(phone=[customer["phone"]])
    syncing.pull()
    with syncing.warehouse.transaction("make versions") as cursor:
        cursor.execute("update syrve.customer set consent_from = now() - interval '9 days', consent_to = null")
        cursor.execute(
            """
            insert into syrve.customer_version (organization_id, customer_id, is_deleted, extra, consent_from, consent_to, valid_from,
                valid_to)
            select organization_id, customer_id, false, '{}', now() - begun, now() - ended, now() - since, now() - until
            from syrve.customer cross join (values
                (interval '9 days', interval '2 days', interval '8 days', interval '4 days'),
                (interval '9 days', interval '3 days', interval '4 days', interval '1 day')
            ) as version (begun, ended, since, until)
            """
        )

    assert rows(analyst, "select has_consent from analytics.customer_history order by valid_from") == [
        (True,),
        (False,),
        (True,),
    ]


def test_short_and_missing_values_are_not_given_away_by_their_mask(syncing: Syncing, analyst: Warehouse) -> None:
    [customer] = syncing.customers(1)
    syncing.add(phone=[customer["phone"]])
    syncing.pull()
    with syncing.warehouse.transaction("empty") as cursor:
        cursor.execute(
            "update syrve.customer set phone = null, email = null, name = null, surname = '', birthday = null"
        )
        cursor.execute("update syrve.card set track = null, number = '7'")

    assert rows(
        analyst,
        "select phone_masked, phone_hash, email_masked, email_hash, age_band from analytics.customer",
    ) == [(None,) * 5]
    assert {number for (number,) in rows(analyst, "select number_masked from analytics.card")} <= {"***"}


@pytest.mark.usefixtures("person")
def test_how_it_was_at_a_moment_is_one_condition_for_the_analyst_too(analyst: Warehouse) -> None:
    query = """
        select count(*) from analytics.wallet_balance_history
        where valid_from <= %s and (valid_to > %s or valid_to is null)
    """
    far = datetime(2100, 1, 1, tzinfo=UTC)

    assert rows(analyst, query, far, far) == rows(analyst, "select count(*) from analytics.wallet_balance")


HIDDEN = (
    "select from syrve.customer",
    "select from syrve.customer_history",
    "select from secret.hash_key",
    "select from sync.roster",
    "select from crm.customer",
    "update analytics.organization set name = 'another'",
    "select from syrve.daily_balance",
    "select from secret.customer_masked",
    "create view analytics.another as select 1 as one",
)


@pytest.mark.parametrize("statement", HIDDEN)
def test_analyst_gets_at_nothing_behind_the_views(analyst: Warehouse, statement: str) -> None:
    with pytest.raises(WarehouseConfigError, match="42501"):
        rows(analyst, statement)


ORDER = (
    "insert into wallet.payment_order (organization_id, order_id, state, state_at) "
    "select gen_random_uuid(), called, 'open', now() from unnest(%s::text[]) as called"
)
LEAK = """
    create function public.leak(shown text) returns boolean language plpgsql cost 0.000001
    as $$ begin raise notice 'saw %', shown; return true; end $$;
    grant usage on schema public to syrve_analyst;
    grant execute on function public.leak(text) to syrve_analyst
"""


def test_one_order_is_found_by_an_index(syncing: Syncing, analyst: Warehouse) -> None:
    with analyst.transaction("explain") as cursor:
        cursor.execute("set local enable_seqscan = off")
        cursor.execute(
            "explain select * from analytics.order_balance where organization_id = %s and order_id = 'A-1'",
            (uuid4().hex,),
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert re.search(r"operation_order on .*\n *Index Cond: .*order_id = 'A-1'", plan)
    assert "operation_order_hidden" in plan


def test_hidden_order_is_shown_to_no_function_of_a_reader(syncing: Syncing) -> None:
    with syncing.warehouse.transaction("attack") as cursor:
        cursor.execute(ORDER, (["A-1", PERSONAL["phone"], PERSONAL["surname"] + "я"],))
        cursor.execute(LEAK)
        cursor.execute("set local role syrve_analyst")
        cursor.execute("select order_id from analytics.order_balance where public.leak(order_id)")
        shown = sorted(order_id for (order_id,) in cursor.fetchall())
        seen = "".join(cursor.connection.notices)
        cursor.connection.rollback()

    assert shown[0] == "A-1"
    assert [each[:7] for each in shown[1:]] == ["hidden ", "hidden "]
    assert "saw A-1" in seen
    assert not [each for each in ("phone", "surname") if PERSONAL[each] in seen]


def test_hidden_order_is_found_by_what_it_is_shown_as(syncing: Syncing, analyst: Warehouse) -> None:
    with syncing.warehouse.transaction("add orders") as cursor:
        cursor.execute(ORDER, ([PERSONAL["phone"]],))
    ((shown,),) = rows(analyst, "select order_id from analytics.order_balance")

    assert rows(analyst, "select state from analytics.order_balance where order_id = %s", shown) == [("open",)]
    assert rows(analyst, "select 1 from analytics.order_balance where order_id = %s", PERSONAL["phone"]) == []
