"""The digest is equal when, and only when, the customer is."""

import copy
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from fixtures.answers import EMPTY
from syrve.api import decode
from syrve.api.models import Card, Category, Customer, WalletBalance
from syrve.customers.records import (
    CUSTOMER_COLUMNS,
    CustomerRecord,
    customer_lines,
    customer_record,
    wallet_lines,
)

ORGANIZATION_ID = "5f4e0003-0000-4000-8000-000000000001"
AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
BESIDE = ("problems", "last_order_at")
"""Not kept of a customer; the last order is in `extra` as it was written."""

uuids = st.sampled_from([f"5f4e0003-0000-4000-8000-{n:012d}" for n in range(8)])
texts = (
    st.none()
    | st.sampled_from(["", "Ян", "\\N", "a\tb", "a\nb", "\\", "Глафира", "'"])
    | st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
)
flags = st.none() | st.booleans()
moments = st.none() | st.datetimes(timezones=st.just(UTC))
amounts = st.decimals(min_value=-(10**15), max_value=10**15, places=4, allow_nan=False)
wallets = st.builds(
    WalletBalance, wallet_id=uuids, name=texts, type=st.none() | st.integers(min_value=0, max_value=4), balance=amounts
)
cards = st.builds(Card, card_id=uuids, track=texts, number=texts, valid_to=moments)
categories = st.builds(Category, category_id=uuids, name=texts, is_active=flags, is_default_for_new_guests=flags)
customers = st.builds(
    Customer,
    customer_id=uuids,
    phone=texts,
    email=texts,
    name=texts,
    surname=texts,
    middle_name=texts,
    birthday=st.none() | st.dates(min_value=date(1900, 1, 1)),
    sex=st.sampled_from([None, "male", "female", "not_specified"]),
    referrer_id=st.none() | uuids,
    program_id=st.none() | uuids,
    program_name=texts,
    receives_order_status=flags,
    receives_promo=flags,
    consent_from=moments,
    consent_to=moments,
    is_deleted=st.booleans(),
    wallets=st.lists(wallets, max_size=3, unique_by=lambda each: each.wallet_id).map(tuple),
    cards=st.lists(cards, max_size=2, unique_by=lambda each: each.card_id).map(tuple),
    categories=st.lists(categories, max_size=2, unique_by=lambda each: each.category_id).map(tuple),
    extra=st.dictionaries(st.sampled_from(["favouriteDish", "note"]), texts, max_size=2),
)


def record(customer: Customer, *, region: str = "RU") -> CustomerRecord:
    return customer_record(ORGANIZATION_ID, customer, fetched_at=AT, region=region)


def line_of(customer: Customer, region: str = "RU") -> str:
    (line,) = customer_lines([record(customer)], region)
    return line


def digest(customer: Customer, region: str = "RU") -> bytes:
    return record(customer, region=region).digest


def read(answer: dict[str, Any]) -> Customer:
    return decode.customer(decode.parse_json(json.dumps(EMPTY | answer).encode()), time_zone=ZoneInfo("Europe/Moscow"))


@given(one=customers, data=st.data())
def test_digests_of_two_customers_are_equal_if_and_only_if_the_customers_are(
    one: Customer, data: st.DataObject
) -> None:
    other = data.draw(customers | st.just(one).map(copy.deepcopy))

    assert (digest(one) == digest(other)) == (one == other)


@given(customer=customers, changed=customers, data=st.data())
def test_a_change_of_any_one_field_changes_the_digest(
    customer: Customer, changed: Customer, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from([each for each in Customer.__struct_fields__ if each not in BESIDE]))
    assume(getattr(customer, name) != getattr(changed, name))

    assert digest(replace(customer, **{name: getattr(changed, name)})) != digest(customer)


@given(wallet=wallets, zeros=st.integers(min_value=0, max_value=6))
def test_trailing_zeros_of_a_balance_do_not_change_the_digest(wallet: WalletBalance, zeros: int) -> None:
    padded = replace(wallet, balance=Decimal(f"{wallet.balance:f}" + "0" * zeros))
    customer = Customer(customer_id=wallet.wallet_id, wallets=(wallet,))

    assert digest(replace(customer, wallets=(padded,))) == digest(customer)


def test_ten_and_ten_point_zero_zero_and_negative_zero_are_written_alike() -> None:
    def written(balance: str) -> list[str]:
        wallet = WalletBalance(ORGANIZATION_ID, None, 1, Decimal(balance))
        return list(wallet_lines([record(Customer(customer_id=ORGANIZATION_ID, wallets=(wallet,)))]))

    assert written("10") == written("10.00") == written("1E+1")
    assert written("0") == written("-0.00")
    assert written("123456789012345678.9012")[0].endswith("\t123456789012345678.9012")


@given(data=st.data())
def test_order_of_children_and_of_fields_in_the_answer_does_not_matter(data: st.DataObject) -> None:
    ids = [f"5f4e0003-0000-4000-8000-{n:012d}" for n in range(4)]
    answer = {
        "id": ids[0],
        "name": "Ян",
        "walletBalances": [{"id": each, "name": each[-1], "type": 1, "balance": 10} for each in ids],
        "cards": [{"id": each, "track": each[-1], "number": each[-1]} for each in ids],
        "categories": [{"id": each, "name": each[-1], "isActive": True} for each in ids],
        "unknownToUs": {"a": 1, "b": 2},
    }
    shuffled: dict[str, Any] = {name: answer[name] for name in data.draw(st.permutations(list(answer)))}
    for name in ("walletBalances", "cards", "categories"):
        shuffled[name] = data.draw(st.permutations(shuffled[name]))

    assert digest(read(shuffled)) == digest(read(answer))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-01-31 15:00:00.000", AT),
        ("2026-01-31T12:00:00Z", AT),
        ("0001-01-01 00:00:00.000", None),
        ("", None),
        ("soon", None),
        ("9999-12-31T23:59:59-14:00", None),
        (20260131, None),
        (None, None),
    ],
)
def test_last_order_is_a_time_or_nothing_and_no_problem(written: Any, expected: datetime | None) -> None:
    customer = read({"id": ORGANIZATION_ID, "walletBalances": [], "lastProcessedOrderDate": written})

    assert customer.last_order_at == expected
    assert customer.problems == ()
    assert customer.extra["lastProcessedOrderDate"] == written


def test_card_and_category_that_look_alike_are_not_the_same() -> None:
    customer = Customer(customer_id=ORGANIZATION_ID)
    with_card = replace(customer, cards=(Card(ORGANIZATION_ID, "A1", None, None),))
    with_category = replace(customer, categories=(Category(ORGANIZATION_ID, "A1", None, None),))

    assert len({digest(each) for each in (customer, with_card, with_category)}) == 3


def test_another_region_changes_the_digest_because_it_changes_the_phone() -> None:
    customer = Customer(customer_id=ORGANIZATION_ID, phone="0151 23456789")

    assert digest(customer, "DE") != digest(customer, "RU")
    assert line_of(customer, "DE").split("\t")[-3] == "+4915123456789"


@given(customer=customers)
def test_line_has_a_field_for_every_column_whatever_the_text(customer: Customer) -> None:
    line = line_of(customer)

    assert line.count("\t") == len(CUSTOMER_COLUMNS) - 1
    assert "\n" not in line
