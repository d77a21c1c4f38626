"""An answer that says nothing of a customer, or two things at once, takes nothing from the mirror."""

import json
from typing import Any

import pytest

from fixtures.answers import EMPTY
from fixtures.pulls import Syncing
from syrve.customers.doubts import EMPTIED
from syrve_simulator.control import RawAnswer

CUSTOMER_ID = "5f4e0002-0000-4000-8000-000000000071"
PHONE = "+79759980071"
KNOWN = EMPTY | {
    "id": CUSTOMER_ID,
    "name": "Глафира",
    "surname": "Ильина",
    "phone": PHONE,
    "shouldReceivePromoActionsInfo": False,
    "walletBalances": [],
    "cards": [],
    "categories": [],
}
NOTHING = KNOWN | EMPTY
PROFILE = "select name, surname, phone, receives_promo, is_deleted from syrve.customer"
KEPT = [("Глафира", "Ильина", PHONE, False, False)]
OPEN = "select stage, reason from sync.reject where resolved_at is null"


def answers(syncing: Syncing, body: str | dict[str, Any], asked: str = CUSTOMER_ID) -> None:
    raw = body if isinstance(body, str) else json.dumps(body)
    syncing.simulator.control.put_raw_answers([RawAnswer(syncing.organization_id, asked, raw.encode())])


def pull_again(syncing: Syncing) -> Any:
    syncing.make_due()
    return syncing.pull()


@pytest.fixture
def known(syncing: Syncing) -> Syncing:
    """A customer whom the mirror has, looked up by id."""
    answers(syncing, KNOWN)
    syncing.add(id=[CUSTOMER_ID])
    syncing.pull()
    assert syncing.rows(PROFILE) == KEPT
    return syncing


def text(answer: dict[str, Any], *further: str) -> str:
    """The JSON of an answer with further keys written behind it."""
    return ", ".join([json.dumps(answer).removesuffix("}"), *further]) + "}"


MALFORMED = {
    "an id alone": json.dumps({"id": CUSTOMER_ID}),
    "a phone is missing": json.dumps({name: value for name, value in KNOWN.items() if name != "phone"}),
    "a consent is missing": json.dumps(
        {name: value for name, value in KNOWN.items() if name != "shouldReceivePromoActionsInfo"}
    ),
    "deleted and not": text(KNOWN | {"isDeleted": False}, '"isDeleted": true'),
    "two ids": text(KNOWN, '"id": "5f4e0002-0000-4000-8000-000000000072"'),
    "two phones": text(KNOWN, '"phone": "+79759980072"'),
    "two names, one escaped": text(KNOWN, '"n\\u0061me": null'),
    "two lists": text(KNOWN, '"cards": null'),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_answer_is_a_reject_and_the_mirror_stays(known: Syncing, case: str) -> None:
    answers(known, MALFORMED[case])

    for _ in range(2):
        counts = pull_again(known)
        assert (counts.rejected, counts.found, counts.failed) == (1, 0, 0)

    assert known.rows(PROFILE) == KEPT
    assert known.value("select count(*) from syrve.customer_version") == 0
    ((stage, reason),) = known.rows(OPEN)
    assert stage == "look_up"
    assert reason.endswith(("is missing", "are missing", "names a field twice, with different values"))


def test_refusal_with_two_codes_deletes_nobody(known: Syncing) -> None:
    body = '{"code": "Transport_WrongCustomerId", "errorCode": "Some_Other", "errorCode": "Customer_CustomerNotFound"}'
    known.simulator.control.put_raw_answers(
        [RawAnswer(known.organization_id, CUSTOMER_ID, body.encode(), 400, "customer_info")]
    )

    counts = pull_again(known)

    assert (counts.rejected, counts.not_found) == (1, 0)
    assert known.rows(PROFILE) == KEPT


def test_emptied_profile_is_believed_when_a_later_run_is_told_it(known: Syncing) -> None:
    answers(known, NOTHING)

    counts = pull_again(known)
    assert (counts.rejected, counts.found, counts.changed) == (1, 0, 0)
    assert known.rows(PROFILE) == KEPT
    assert known.rows(OPEN) == [("look_up", EMPTIED)]

    counts = pull_again(known)
    assert (counts.rejected, counts.found, counts.changed) == (0, 1, 1)
    assert known.rows(PROFILE) == [(None, None, None, None, False)]
    assert known.rows(OPEN) == []
    assert known.value("select name from syrve.customer_version") == "Глафира"
    assert pull_again(known).unchanged == 1


def test_same_run_confirms_nothing(known: Syncing) -> None:
    answers(known, NOTHING)

    for _ in range(2):
        known.runs = 100  # a retry of a task has the run of the first try
        pull_again(known)

    assert known.rows(PROFILE) == KEPT


def test_whole_answer_between_two_empty_ones_starts_anew(known: Syncing) -> None:
    for body in (NOTHING, KNOWN, NOTHING):
        answers(known, body)
        pull_again(known)

    assert known.rows(PROFILE) == KEPT
    assert known.rows(OPEN) == [("look_up", EMPTIED)]


def test_whole_answer_under_the_phone_contradicts_an_empty_one(known: Syncing) -> None:
    answers(known, NOTHING)
    pull_again(known)
    known.simulator.control.clear_raw_answers()
    answers(known, KNOWN, asked=PHONE)
    known.execute("update sync.roster set due_at = now() + interval '1 day'")
    known.add(phone=[PHONE])
    assert known.pull().found == 1
    known.simulator.control.clear_raw_answers()
    answers(known, NOTHING)
    known.execute("update sync.roster set due_at = now() where identity_kind = 'id'")
    known.execute("update sync.roster set due_at = now() + interval '1 day' where identity_kind = 'phone'")

    assert known.pull().rejected == 1

    assert known.rows(PROFILE) == KEPT


@pytest.mark.parametrize("said", [{"isDeleted": True}, {"anonymized": True}], ids=["deleted", "anonymized"])
def test_customer_said_to_be_gone_is_believed_to_have_nothing(known: Syncing, said: dict[str, Any]) -> None:
    answers(known, NOTHING | said)

    assert pull_again(known).changed == 1

    assert known.rows("select name, phone, is_deleted from syrve.customer") == [(None, None, "isDeleted" in said)]


def test_customer_who_had_a_phone_only_may_lose_it(syncing: Syncing) -> None:
    answers(syncing, NOTHING | {"phone": PHONE})
    syncing.add(id=[CUSTOMER_ID])
    syncing.pull()
    answers(syncing, NOTHING)

    assert pull_again(syncing).changed == 1

    assert syncing.rows("select phone from syrve.customer") == [(None,)]


def test_profile_that_keeps_one_field_is_believed(known: Syncing) -> None:
    answers(known, NOTHING | {"phone": PHONE})

    assert pull_again(known).changed == 1

    assert known.rows(PROFILE) == [(None, None, PHONE, None, False)]


def test_new_customer_without_any_personal_field_lands(syncing: Syncing) -> None:
    answers(syncing, NOTHING)
    syncing.add(id=[CUSTOMER_ID])

    assert syncing.pull().found == 1

    assert syncing.value("select customer_id::text from syrve.customer") == CUSTOMER_ID
