"""Every malformed record lands in `sync.reject`, or is put right and counted; nothing else is stopped by it."""

import json
from decimal import Decimal
from typing import Any

import pytest

from fixtures.answers import EMPTY
from fixtures.pulls import Syncing
from syrve.warehouse.limits import BreakerSettings
from syrve_simulator.control import RawAnswer

CUSTOMER_ID = "5f4e0002-0000-4000-8000-000000000001"
WALLET_ID = "5f4e0002-0000-4000-8000-000000000011"
PHONE = "+79759980001"


def answer(**changes: Any) -> dict[str, Any]:
    plain = EMPTY | {
        "id": CUSTOMER_ID,
        "name": "Глафира",
        "phone": PHONE,
        "birthday": "1990-05-15",
        "sex": "Female",
        "walletBalances": [{"id": WALLET_ID, "name": "Bonus", "type": 1, "balance": 12.5}],
        "cards": [],
        "categories": [],
    }
    return plain | changes


def wallet(**changes: Any) -> dict[str, Any]:
    return {"id": WALLET_ID, "name": "Bonus", "type": 1, "balance": 12.5} | changes


def pull_one(syncing: Syncing, body: bytes | dict[str, Any], status: int = 200) -> Any:
    """Pull one odd customer among nine ordinary ones, and check that those landed."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    syncing.simulator.control.put_raw_answers([RawAnswer(syncing.organization_id, PHONE, raw, status=status)])
    syncing.add(phone=[PHONE, *(each["phone"] for each in syncing.customers(9))])
    counts = syncing.pull(failed_tolerance_share=1.0)
    assert syncing.value("select count(*) from syrve.customer where customer_id <> %s", CUSTOMER_ID) == 9
    return counts


def rejects(syncing: Syncing) -> list[tuple[Any, ...]]:
    return syncing.rows("select stage, reason from sync.reject where resolved_at is null order by 2")


def landed(syncing: Syncing, columns: str) -> tuple[Any, ...] | None:
    found = syncing.rows(f"select {columns} from syrve.customer where customer_id = %s", CUSTOMER_ID)
    return found[0] if found else None


UNUSABLE: dict[str, tuple[bytes | dict[str, Any], str]] = {
    "no id": (answer(id=None), "id is missing"),
    "id is no uuid": (answer(id="42"), "id is not a uuid"),
    "a list": (b"[]", "the answer is not an object"),
    "null": (b"null", "the answer is not an object"),
    "wallet without id": (answer(walletBalances=[wallet(id=None)]), "walletBalances[0].id is missing"),
    "wallet without balance": (answer(walletBalances=[wallet(balance=None)]), "walletBalances[0].balance is missing"),
    "balance is a word": (answer(walletBalances=[wallet(balance="much")]), "walletBalances[0].balance is not a number"),
    "balance is a flag": (answer(walletBalances=[wallet(balance=True)]), "walletBalances[0].balance is not a number"),
    "balance beyond measure": (
        json.dumps(answer(walletBalances=[wallet(balance=0)])).replace('"balance": 0', '"balance": 1e999999').encode(),
        "walletBalances[0].balance is not a number",
    ),
    "wallets are no list": (answer(walletBalances={"a": 1}), "walletBalances is not a list"),
    "a wallet is no object": (answer(walletBalances=[7]), "walletBalances[0] is not an object"),
    "same wallet twice, other balance": (
        answer(walletBalances=[wallet(), wallet(balance=13)]),
        "walletBalances[1] repeats an id with other content",
    ),
    "endless answer": (answer(name="a" * 5_000_000), "the answer is larger than any that this operation has"),
    "card without id": (answer(cards=[{"track": "1"}]), "cards[0].id is missing"),
    "unknown field nested without end": (
        json.dumps(answer()).removesuffix("}").encode() + b', "deep": ' + b"[" * 200 + b"]" * 200 + b"}",
        "a field that we do not know is nested too deeply",
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_record_is_rejected_with_its_reason_and_stops_nobody(syncing: Syncing, case: str) -> None:
    body, reason = UNUSABLE[case]

    counts = pull_one(syncing, body)

    assert (counts.rejected, counts.found, counts.failed) == (1, 9, 0)
    assert rejects(syncing) == [("look_up", reason)]
    assert landed(syncing, "1") is None
    assert syncing.rows("select outcome from sync.roster where identity_value = %s", PHONE) == [("rejected",)]


CLEANED: dict[str, tuple[dict[str, Any], str, Any]] = {
    "NUL in a name": (answer(name="Гла\x00фира"), "name", "Глафира"),
    "lone surrogate": (answer(name="Гла\ud83dфира"), "name", "Гла\ufffdфира"),
    "number as text": (answer(walletBalances=[wallet(balance="0.30")]), "name", "Глафира"),
    "name is a number": (answer(name=7), "name", "7"),
    "sex is a number": (answer(sex=2), "sex", "female"),
    "flag as text": (answer(shouldReceivePromoActionsInfo="true"), "receives_promo", True),
    "same wallet twice": (answer(walletBalances=[wallet(), wallet()]), "name", "Глафира"),
}


@pytest.mark.parametrize("case", CLEANED)
def test_deviation_that_can_be_put_right_is_and_is_not_a_reject(syncing: Syncing, case: str) -> None:
    body, column, expected = CLEANED[case]

    counts = pull_one(syncing, body)

    assert (counts.rejected, counts.found) == (0, 10)
    assert counts.cleaned == (0 if case == "sex is a number" else 1)
    assert rejects(syncing) == []
    assert landed(syncing, column) == (expected,)


LOSSY: dict[str, tuple[dict[str, Any], str, Any, str]] = {
    "impossible date": (answer(birthday="1990-02-30"), "birthday", None, "birthday is not a possible date"),
    "date that is another day elsewhere": (
        answer(birthday="1990-05-14T21:00:00Z"),
        "birthday",
        None,
        "birthday is not a possible date",
    ),
    "date is a number": (answer(birthday=19900515), "birthday", None, "birthday is not a possible date"),
    "impossible time": (
        answer(personalDataProcessingConsentFrom="yesterday"),
        "consent_from",
        None,
        "personalDataProcessingConsentFrom is not a possible time",
    ),
    "endless name": (answer(name="я" * 200_000), "name", "я" * 1000, "name is longer than 1000 characters, cut"),
    "sex of another world": (answer(sex="Martian"), "sex", None, "sex is none of the known values"),
    "referrer is no uuid": (answer(referrerId="me"), "referrer_id", None, "referrerId is not a uuid"),
    "name is an object": (answer(name={"first": "Глафира"}), "name", None, "name is not text"),
}


@pytest.mark.parametrize("case", LOSSY)
def test_field_that_is_lost_is_kept_in_a_reject_and_the_customer_lands(syncing: Syncing, case: str) -> None:
    body, column, expected, reason = LOSSY[case]

    counts = pull_one(syncing, body)

    assert (counts.rejected, counts.found, counts.cleaned) == (0, 10, 1)
    assert rejects(syncing) == [("field", reason)]
    assert landed(syncing, column) == (expected,)
    assert syncing.value("select balance from syrve.wallet_balance where wallet_id = %s", WALLET_ID) == Decimal("12.5")


@pytest.mark.parametrize("body", [b"<html>maintenance</html>", b'{"id": "5f4e', b"", b'{"id": NaN}', b"\xff\xfe{}"])
def test_answer_that_is_no_json_counts_as_failed_and_is_kept_in_a_reject(syncing: Syncing, body: bytes) -> None:
    syncing.config = type(syncing.config)(syncing.config.base_url, "demo-login", call_deadline_seconds=0.1)

    counts = pull_one(syncing, body)

    assert (counts.failed, counts.found) == (1, 9)
    assert rejects(syncing) == [("look_up", "the answer is not JSON")]


def test_reject_closes_by_itself_when_the_record_comes_whole_again(syncing: Syncing) -> None:
    pull_one(syncing, answer(birthday="1990-02-30"))
    assert len(rejects(syncing)) == 1
    syncing.simulator.control.put_raw_answers(
        [RawAnswer(syncing.organization_id, PHONE, json.dumps(answer()).encode())]
    )
    syncing.make_due()

    syncing.pull()

    assert rejects(syncing) == []
    assert syncing.value("select count(*) from sync.reject where resolved_at is not null") == 1


def test_same_reject_again_is_counted_and_not_repeated(syncing: Syncing) -> None:
    pull_one(syncing, answer(id=None))
    syncing.make_due()

    syncing.pull()

    assert syncing.rows("select occurrences from sync.reject") == [(2,)]


def test_unusable_record_leaves_the_last_good_version_in_place(syncing: Syncing) -> None:
    pull_one(syncing, answer())
    broken = json.dumps(answer(walletBalances=[])).replace("[]", "[{}]", 1).encode()
    syncing.simulator.control.put_raw_answers([RawAnswer(syncing.organization_id, PHONE, broken)])
    syncing.make_due()

    syncing.pull()

    assert syncing.value("select balance from syrve.wallet_balance where wallet_id = %s", WALLET_ID) == Decimal("12.5")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0.3", "0.3"),
        ("123456789012345678.9012", "123456789012345678.9012"),
        ("0.1", "0.1"),
        ("-17.30", "-17.3"),
        ("1e2", "100"),
        ('"0.2"', "0.2"),
        ("0", "0"),
    ],
)
def test_balance_reaches_postgres_exactly_as_the_text_had_it(syncing: Syncing, written: str, expected: str) -> None:
    body = json.dumps(answer()).replace("12.5", written).encode()

    pull_one(syncing, body)

    stored = syncing.value("select balance::text from syrve.wallet_balance where wallet_id = %s", WALLET_ID)
    assert stored == expected


def test_three_tenths_add_up(syncing: Syncing) -> None:
    wallets = [wallet(balance=0.1), wallet(id=WALLET_ID.replace("11", "12"), balance=0.2)]

    pull_one(syncing, answer(walletBalances=wallets))

    query = "select sum(balance) = 0.3 from syrve.wallet_balance where customer_id = %s"
    assert syncing.value(query, CUSTOMER_ID) is True


def test_unknown_fields_are_kept_and_a_change_in_them_is_a_change(syncing: Syncing) -> None:
    pull_one(syncing, answer(favouriteDish="борщ", scores=[1, 2.50, None]))
    assert landed(syncing, "extra") == ({"favouriteDish": "борщ", "scores": [1, 2.5, None]},)
    body = json.dumps(answer(favouriteDish="уха", scores=[1, 2.50, None])).encode()
    syncing.simulator.control.put_raw_answers([RawAnswer(syncing.organization_id, PHONE, body)])
    syncing.make_due()

    assert syncing.pull().changed == 1


def test_phone_of_the_answer_is_stored_as_e164_with_what_was_received_beside(syncing: Syncing) -> None:
    pull_one(syncing, answer(phone="8 (975) 998-00-01"))

    assert landed(syncing, "phone, phone_raw") == ("+79759980001", "8 (975) 998-00-01")


def test_naive_time_is_read_in_the_time_zone_of_the_connection(syncing: Syncing) -> None:
    pull_one(syncing, answer(personalDataProcessingConsentFrom="2024-01-31 12:00:00.000"))

    assert landed(syncing, "consent_from::text") == ("2024-01-31 09:00:00+00",)


LISTS = {"walletBalances": "wallet_balance", "cards": "card", "categories": "customer_category"}


@pytest.mark.parametrize("shape", ["missing", "null"])
def test_list_that_an_answer_lacks_is_not_an_empty_one(syncing: Syncing, shape: str) -> None:
    guests = syncing.customers(60)
    syncing.add(id=[each["customer_id"] for each in guests])
    syncing.pull()

    def children() -> dict[str, list[Any]]:
        return {table: syncing.rows(f"select * from syrve.{table} order by 1, 2, 3") for table in LISTS.values()}

    before = children()
    lists = dict.fromkeys(LISTS) if shape == "null" else {}
    for each in guests:
        body = json.dumps(EMPTY | {"id": each["customer_id"], "phone": each["phone"], "name": "Новое"} | lists).encode()
        syncing.simulator.control.put_raw_answers([RawAnswer(syncing.organization_id, each["customer_id"], body)])

    for _ in range(2):
        syncing.make_due()
        syncing.pull(breaker=BreakerSettings(at_least=1000))
        assert children() == before
        noted = dict(
            syncing.rows(
                "select split_part(reason, ' ', 1), count(*) from sync.reject where resolved_at is null group by 1"
            )
        )
        for name, table in LISTS.items():
            assert noted[name] == len({row[1] for row in before[table]}), "noted where something was there to lose"

    syncing.simulator.control.clear_raw_answers()
    syncing.make_due()
    syncing.pull(breaker=BreakerSettings(at_least=1000))
    assert children() == before
    assert syncing.value("select count(*) from sync.reject where resolved_at is null") == 0


def test_empty_list_of_an_answer_removes_what_was_there(syncing: Syncing) -> None:
    guests = syncing.customers(20)
    syncing.add(id=[each["customer_id"] for each in guests])
    syncing.pull()
    for each in guests:
        body = json.dumps(EMPTY | {"id": each["customer_id"], "name": "Новое"} | dict.fromkeys(LISTS, ())).encode()
        syncing.simulator.control.put_raw_answers([RawAnswer(syncing.organization_id, each["customer_id"], body)])
    syncing.make_due()

    syncing.pull()

    for table in LISTS.values():
        assert syncing.value(f"select count(*) from syrve.{table}") == 0
