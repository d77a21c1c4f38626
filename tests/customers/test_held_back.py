"""One wrong answer for everybody deletes nobody; a person decides, and what was right after all goes through."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from fixtures.answers import EMPTY
from fixtures.pulls import Syncing
from syrve.customers.holding import CustomersHeldBack
from syrve.warehouse.breaker import take_unalerted
from syrve.warehouse.limits import BreakerSettings
from syrve_simulator.control import RawAnswer

NOT_FOUND = {"code": "Transport_WrongCustomerId", "errorCode": "Customer_CustomerNotFound", "httpStatusCode": 400}
GUESTS = 120


@pytest.fixture
def mirrored(syncing: Syncing) -> Syncing:
    """Customers whom the mirror has, under their ids, and some under their phones too."""
    guests = syncing.customers(GUESTS)
    syncing.add(id=[each["customer_id"] for each in guests])
    syncing.add(phone=[each["phone"] for each in guests[:30]])
    syncing.pull()
    syncing.make_due()
    return syncing


def nobody_is_found(syncing: Syncing) -> None:
    rule = {"operation": "customer_info", "fault": "status", "status": 400, "body": NOT_FOUND}
    syncing.simulator.control.set_faults([rule])


def answers(syncing: Syncing, body: Any, customer_ids: Sequence[str], status: int = 200) -> None:
    content = [json.dumps(body(each) if callable(body) else body).encode() for each in customer_ids]
    syncing.simulator.control.put_raw_answers(
        [
            RawAnswer(syncing.organization_id, each, text, status, "customer_info")
            for each, text in zip(customer_ids, content, strict=True)
        ]
    )


def ids(syncing: Syncing, count: int) -> list[str]:
    """Customers who are looked up under their id alone."""
    query = (
        "select customer_id::text from syrve.customer as mirrored where not exists (select from sync.roster as known "
        "where known.customer_id = mirrored.customer_id and known.identity_kind = 'phone') order by 1 limit %s"
    )
    return [each for (each,) in syncing.rows(query, count)]


def deleted(syncing: Syncing) -> int:
    return int(syncing.value("select count(*) from syrve.customer where is_deleted"))


def breakers(syncing: Syncing) -> list[tuple[Any, ...]]:
    return syncing.rows("select kind, field, decision from sync.breaker order by breaker_id")


def the_breaker(syncing: Syncing) -> int:
    return int(syncing.value("select breaker_id from sync.breaker where decision is null"))


def as_role(syncing: Syncing, role: str, statement: str, *values: object) -> Any:
    with syncing.warehouse.transaction("test") as cursor:
        cursor.execute(f"set local role {role}")
        cursor.execute(statement, values)
        return cursor.fetchone()


def test_not_found_for_everybody_deletes_nobody(mirrored: Syncing) -> None:
    nobody_is_found(mirrored)

    with pytest.raises(CustomersHeldBack, match=r"sync\.let_through"):
        mirrored.pull()

    assert deleted(mirrored) == 0
    assert breakers(mirrored) == [("customers_gone", "", None)]
    assert mirrored.value("select count(*) from sync.held_back") >= 25
    assert mirrored.value("select held_back from sync.run where task = 'pull' order by started_at desc limit 1") > 0
    assert mirrored.value("select count(*) from sync.roster where outcome = 'not_found'") == 0
    assert mirrored.value("select count(*) from syrve.customer_version") == 0


def test_wrong_answers_are_asked_for_no_longer_than_needed(mirrored: Syncing) -> None:
    nobody_is_found(mirrored)
    mirrored.simulator.control.reset_calls()

    with pytest.raises(CustomersHeldBack):
        mirrored.pull(batch_size=20)

    received = mirrored.simulator.control.calls()["operations"]["customer_info"]["received"]
    assert received < GUESTS, "the rest is left due"


def test_customers_who_are_found_again_are_held_back_no_longer(mirrored: Syncing) -> None:
    nobody_is_found(mirrored)
    with pytest.raises(CustomersHeldBack):
        mirrored.pull()
    mirrored.simulator.control.clear_faults()
    mirrored.make_due()

    counts = mirrored.pull()

    assert (counts.found, counts.held_back) == (GUESTS, 0)
    assert mirrored.value("select count(*) from sync.held_back") == 0
    assert breakers(mirrored) == [("customers_gone", "", "recovered")]


def test_customers_let_through_by_phone_are_asked_about_once(mirrored: Syncing) -> None:
    """Their phones lead to nobody; what their ids then say of them is believed without a second question."""
    known = mirrored.rows("select customer_id::text, identity_value from sync.roster where identity_kind = 'phone'")
    answers(mirrored, NOT_FOUND, [value for row in known for value in row], 400)
    with pytest.raises(CustomersHeldBack):
        mirrored.pull()
    mine = [each for (each,) in mirrored.rows("select distinct customer_id from sync.held_back")]
    as_role(mirrored, "syrve_ops", "select sync.let_through(%s)", the_breaker(mirrored))

    for _ in range(3):
        with suppress(CustomersHeldBack):  # of others, whom nobody has decided about
            mirrored.pull()
        asked_again = (
            "select count(*) from sync.held_back where customer_id = any(%s::uuid[]) and let_through_at is null"
        )
        assert mirrored.value(asked_again, mine) == 0

    gone = "select count(*) from syrve.customer where is_deleted and customer_id = any(%s::uuid[])"
    assert mirrored.value(gone, mine) == len(mine) > 0


def test_customers_let_through_are_gone_at_the_next_answer(mirrored: Syncing) -> None:
    gone = ids(mirrored, 60)
    answers(mirrored, NOT_FOUND, gone, 400)
    with pytest.raises(CustomersHeldBack):
        mirrored.pull()
    held = mirrored.value("select count(*) from sync.held_back")

    (due,) = as_role(mirrored, "syrve_ops", "select sync.let_through(%s)", the_breaker(mirrored))
    counts = mirrored.pull()

    assert due == held >= 21
    assert counts.held_back == 0
    mirrored.make_due()
    mirrored.pull()
    assert deleted(mirrored) == 60
    assert mirrored.value("select count(*) from sync.held_back") == 0
    assert breakers(mirrored)[0] == ("customers_gone", "", "let_through")


def test_dropped_answers_are_counted_anew(mirrored: Syncing) -> None:
    answers(mirrored, NOT_FOUND, ids(mirrored, 60), 400)
    with pytest.raises(CustomersHeldBack):
        mirrored.pull()
    as_role(mirrored, "syrve_ops", "select sync.drop_held_back(%s)", the_breaker(mirrored))
    assert mirrored.value("select count(*) from sync.held_back") == 0

    with pytest.raises(CustomersHeldBack):
        mirrored.pull()

    assert breakers(mirrored) == [("customers_gone", "", "dropped"), ("customers_gone", "", None)]
    assert mirrored.value("select decided_by = session_user from sync.breaker where decision = 'dropped'") is True
    assert deleted(mirrored) <= 20


def test_undecided_answers_do_not_fail_every_run(mirrored: Syncing) -> None:
    answers(mirrored, NOT_FOUND, ids(mirrored, 60), 400)
    with pytest.raises(CustomersHeldBack):
        mirrored.pull()
    while True:
        mirrored.make_due()
        try:
            counts = mirrored.pull()
        except CustomersHeldBack:
            continue
        break

    assert counts.held_back > 0
    assert deleted(mirrored) <= 20
    assert len(breakers(mirrored)) == 1, "one question, however many runs add to it"


def test_few_customers_who_are_gone_go_through(mirrored: Syncing) -> None:
    answers(mirrored, NOT_FOUND, ids(mirrored, 20), 400)

    mirrored.pull()

    assert deleted(mirrored) == 20
    assert breakers(mirrored) == []


def test_share_and_least_number_are_settings(mirrored: Syncing) -> None:
    answers(mirrored, NOT_FOUND, ids(mirrored, 5), 400)

    with pytest.raises(CustomersHeldBack):
        mirrored.pull(breaker=BreakerSettings(share=0.01, at_least=3))

    assert deleted(mirrored) <= 3


@pytest.mark.parametrize("shown", ["deleted", "other customer"])
def test_other_ways_to_be_gone_are_held_back_too(mirrored: Syncing, shown: str) -> None:
    other = ids(mirrored, 90)[-1]
    body = (
        (lambda each: {"id": each, "isDeleted": True})
        if shown == "deleted"
        else EMPTY | {"id": other, "phone": "+79750009999"}
    )
    answers(mirrored, body, ids(mirrored, 60))
    names = mirrored.rows("select customer_id, name from syrve.customer where customer_id <> %s order by 1", other)

    with pytest.raises(CustomersHeldBack):
        mirrored.pull(batch_size=120)

    assert deleted(mirrored) == 0
    same = mirrored.rows("select customer_id, name from syrve.customer where customer_id <> %s order by 1", other)
    assert same == names
    answer = "deleted" if shown == "deleted" else "other_customer"
    assert mirrored.rows("select distinct answer from sync.held_back") == [(answer,)]


def test_phones_that_all_lead_to_others_are_held_back(syncing: Syncing) -> None:
    """Each phone is answered with the record of the next customer, as by an index of the service that has slipped by one."""
    guests = [each for each in syncing.customers() if each["phone"]][:GUESTS]
    syncing.add(phone=[each["phone"] for each in guests])
    syncing.pull()
    mirror = "select customer_id, phone, name, surname from syrve.customer order by 1"
    before = syncing.rows(mirror)
    slipped = {each["phone"]: following for each, following in zip(guests, [*guests[1:], guests[0]], strict=True)}
    bodies = {
        phone: EMPTY | {"id": each["customer_id"], "name": "Чужой", "phone": phone} for phone, each in slipped.items()
    }
    syncing.simulator.control.put_raw_answers(
        [
            RawAnswer(syncing.organization_id, phone, json.dumps(body).encode(), 200, "customer_info")
            for phone, body in bodies.items()
        ]
    )
    syncing.make_due()

    with pytest.raises(CustomersHeldBack, match="phones"):
        syncing.pull(batch_size=2 * GUESTS)

    assert syncing.rows(mirror) == before
    assert syncing.rows("select distinct answer from sync.held_back") == [("other_customer",)]
    syncing.simulator.control.clear_raw_answers()
    syncing.make_due()
    assert syncing.pull().held_back == 0
    assert syncing.rows(mirror) == before
    assert breakers(syncing) == [("customers_gone", "", "recovered")]


def test_shards_of_one_run_share_the_count(mirrored: Syncing) -> None:
    answers(mirrored, NOT_FOUND, ids(mirrored, 30), 400)
    mirrored.execute("update sync.roster set due_at = now() + interval '1 hour'")
    held = []
    for shard in range(3):
        chosen = ids(mirrored, 30)[shard::3]
        mirrored.execute("update sync.roster set due_at = now() where identity_value = any(%s)", chosen)
        mirrored.runs = 100  # the run before made this number: all three have the same
        try:
            mirrored.pull()
        except CustomersHeldBack:
            held.append(shard)

    assert held == [2]
    assert deleted(mirrored) == 20


def test_field_that_changes_for_many_lands_and_is_told_once(mirrored: Syncing) -> None:
    for each in ids(mirrored, 40):
        mirrored.simulator.control.change_customer(mirrored.organization_id, each, fields={"surname": "Одинаков"})

    for _ in range(2):
        mirrored.make_due()
        mirrored.pull()

    assert mirrored.value("select count(*) from syrve.customer where surname = 'Одинаков'") == 40
    assert breakers(mirrored) == [("field_changed", "surname", "landed")]
    told = take_unalerted(mirrored.warehouse, mirrored.organization_id)
    assert [(each.field, each.affected >= 21, each.is_held_back) for each in told] == [("surname", True, False)]
    assert take_unalerted(mirrored.warehouse, mirrored.organization_id) == []


def test_decided_breaker_cannot_be_decided_again(mirrored: Syncing) -> None:
    nobody_is_found(mirrored)
    with pytest.raises(CustomersHeldBack):
        mirrored.pull()
    number = the_breaker(mirrored)
    mirrored.value("select sync.drop_held_back(%s)", number)

    with pytest.raises(Exception, match="NoDataFound"):
        mirrored.value("select sync.let_through(%s)", number)


def test_settings_are_what_the_run_is_judged_by() -> None:
    settings = BreakerSettings()

    assert [settings.allowed(looked) for looked in (0, 999, 1000, 2041, 100_000)] == [20, 20, 20, 40, 2000]
    assert replace(settings, share=0.5).allowed(100) == 50
