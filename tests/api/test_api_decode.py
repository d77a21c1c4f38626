"""Answers of either dialect give the same models."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.answers import EMPTY
from syrve.api import decode
from syrve.api.fields import BadField
from syrve.api.models import Customer

MOSCOW = ZoneInfo("Europe/Moscow")
CUSTOMER_ID = "5f4e0001-0000-4000-8000-000000000001"
WALLETS = [f"5f4e0001-0000-4000-8000-00000000001{n}" for n in range(3)]
SERIES_ID = "5f4e0001-0000-4000-8000-000000000061"

REFERENCE: dict[str, Any] = EMPTY | {
    "id": CUSTOMER_ID,
    "name": "Ivan",
    "birthday": "1990-05-15",
    "sex": "Male",
    "walletBalances": [{"id": WALLETS[0], "name": "Bonus", "type": 1, "balance": 12.5}],
    "cards": [],
    "categories": [],
    "shouldReceiveOrderStatusNotifications": True,
    "shouldReceivePromoActionsInfo": False,
    "personalDataProcessingConsentFrom": "2025-01-09T10:00:00",
    "personalDataProcessingConsentTo": None,
}
CLOUD: dict[str, Any] = EMPTY | {
    "id": CUSTOMER_ID.upper(),
    "name": "Ivan",
    "surname": "",
    "birthday": "1990-05-15 00:00:00.000",
    "sex": 1,
    "walletBalances": [{"id": WALLETS[0].upper(), "name": "Bonus", "type": 1, "balance": 12.5}],
    "cards": [],
    "categories": [],
    "shouldReceiveOrderStatusInfo": True,
    "shouldReceivePromoActionsInfo": False,
    "personalDataConsentFrom": "2025-01-09 10:00:00.000",
    "personalDataConsentTo": None,
    "isDeleted": None,
}


def customer(answer: Any) -> Customer:
    return decode.customer(decode.parse_json(json.dumps(answer).encode()), time_zone=MOSCOW)


@pytest.mark.parametrize("changes", [{}, {"surname": 7}], ids=["clean", "tolerant"])
def test_list_that_is_missing_or_null_is_named(changes: dict[str, Any]) -> None:
    lacking = {name: value for name, value in REFERENCE.items() if name != "categories"} | {"cards": None} | changes

    assert customer(lacking).absent == ("cards", "categories")
    assert customer(REFERENCE | changes).absent == ()


def test_both_dialects_say_the_same_customer() -> None:
    assert customer(CLOUD) == customer(REFERENCE)
    assert customer(CLOUD).problems == ()


def test_customer_has_what_either_dialect_says() -> None:
    read = customer(CLOUD)

    assert (read.sex, read.birthday) == ("male", date(1990, 5, 15))
    assert (read.receives_order_status, read.receives_promo) == (True, False)
    assert read.consent_from == datetime(2025, 1, 9, 7, 0, tzinfo=UTC)
    assert read.wallets[0].balance == Decimal("12.5")


@pytest.mark.parametrize(
    ("said", "sex"),
    [
        ("Male", "male"),
        ("female", "female"),
        ("NotSpecified", "not_specified"),
        (0, "not_specified"),
        (1, "male"),
        (2, "female"),
        ("2", "female"),
        (None, None),
        ("", None),
    ],
)
def test_sex_is_a_word_or_a_number(said: Any, sex: str | None) -> None:
    read = customer(REFERENCE | {"sex": said})

    assert (read.sex, read.problems) == (sex, ())


@pytest.mark.parametrize("said", [3, "other", True, [], {"a": 1}])
def test_sex_that_is_none_of_these_is_unknown_and_a_loss(said: Any) -> None:
    read = customer(REFERENCE | {"sex": said})

    assert read.sex is None
    assert [(each.path, each.lossy) for each in read.problems] == [("sex", True)]


def test_unknown_fields_are_kept_by_their_names_and_are_no_problem() -> None:
    read = customer(REFERENCE | {"favouriteDish": {"name": "борщ"}, "userData": None})

    assert read.extra == {"favouriteDish": {"name": "борщ"}, "userData": None}
    assert read.problems == ()


def test_empty_fields_are_none_and_missing_lists_named() -> None:
    lists = ("walletBalances", "cards", "categories")
    assert customer(EMPTY | {"id": CUSTOMER_ID}) == Customer(customer_id=CUSTOMER_ID, absent=lists)


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("dialect", [REFERENCE, CLOUD], ids=["reference", "cloud"])
def test_record_that_lacks_a_key_is_refused_by_its_name(dialect: dict[str, Any], name: str) -> None:
    lacking = {each: value for each, value in dialect.items() if each != name}

    with pytest.raises(BadField, match=f"^{name} is missing$"):
        customer(lacking)


def test_record_of_an_id_alone_is_refused() -> None:
    with pytest.raises(BadField, match=r"^name, surname, .* are missing$"):
        customer({"id": CUSTOMER_ID})


def test_deleted_customer_need_have_no_more_than_an_id() -> None:
    assert customer({"id": CUSTOMER_ID, "isDeleted": True}).is_deleted
    with pytest.raises(BadField, match="are missing"):
        customer({"id": CUSTOMER_ID, "isDeleted": False})


def test_order_of_children_in_the_answer_does_not_matter() -> None:
    wallets = [{"id": wallet_id, "balance": 1} for wallet_id in WALLETS]

    forward, backward = (customer(REFERENCE | {"walletBalances": order}) for order in (wallets, wallets[::-1]))

    assert forward == backward
    assert [wallet.wallet_id for wallet in forward.wallets] == WALLETS


def test_repeated_child_is_taken_once_and_a_contradiction_is_refused() -> None:
    wallet = {"id": WALLETS[0], "balance": 1}

    read = customer(REFERENCE | {"walletBalances": [wallet, wallet]})

    assert len(read.wallets) == 1
    assert [each.problem for each in read.problems] == ["has a repeated element, taken once"]
    with pytest.raises(BadField, match=r"walletBalances\[1\] repeats an id with other content"):
        customer(REFERENCE | {"walletBalances": [wallet, wallet | {"balance": 2}]})


MONEY = st.decimals(min_value=-(10**17), max_value=10**17, places=4, allow_nan=False, allow_infinity=False)


@given(balance=MONEY)
def test_balance_is_exact_to_the_last_digit(balance: Decimal) -> None:
    body = json.dumps(REFERENCE | {"walletBalances": [{"id": WALLETS[0], "balance": 0}]})
    body = body.replace('"balance": 0', f'"balance": {balance}')

    read = decode.customer(decode.parse_json(body.encode()), time_zone=UTC)

    assert str(read.wallets[0].balance) == str(balance)


def test_tenths_add_up() -> None:
    wallets = [{"id": wallet_id, "balance": balance} for wallet_id, balance in zip(WALLETS, (0.1, 0.2), strict=False)]

    read = customer(REFERENCE | {"walletBalances": wallets})

    assert sum(wallet.balance for wallet in read.wallets) == Decimal("0.3")


ODD = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.just([]), st.just({}), st.just([{}]))


@given(changes=st.dictionaries(st.sampled_from(sorted(set(REFERENCE) | set(CLOUD))), ODD, max_size=5))
def test_odd_fields_give_a_customer_or_a_named_problem(changes: dict[str, Any]) -> None:
    try:
        read = customer(REFERENCE | changes)
    except BadField as problem:
        named = str(problem).replace("[", " ").replace(".", " ").split()[0]
        assert named in changes
    else:
        assert read.customer_id == CUSTOMER_ID
        assert {each.path for each in read.problems} <= set(changes)


# coupons

COUPON: dict[str, Any] = {"id": CUSTOMER_ID, "number": "PROMO", "seriesId": SERIES_ID, "isUsed": False}


@pytest.mark.parametrize(
    ("said", "count"), [(COUPON, 1), ([COUPON], 1), ([COUPON, COUPON | {"number": "OTHER"}], 2), ([], 0), (None, 0)]
)
def test_coupon_is_an_object_an_array_or_nothing(said: Any, count: int) -> None:
    found = decode.coupons({"couponInfo": said}, time_zone=MOSCOW)

    assert [coupon.number for coupon in found] == ["PROMO", "OTHER"][:count]


def test_answer_without_coupons_has_none() -> None:
    assert decode.coupons({"correlationId": CUSTOMER_ID}, time_zone=MOSCOW) == []


def test_coupon_of_the_live_service_is_used_when_it_was_activated() -> None:
    said = {"number": "PROMO", "whenActivated": "2024-12-30 12:00:00.000"}

    (coupon,) = decode.coupons({"couponInfo": [said]}, time_zone=MOSCOW)

    assert coupon.is_used is True
    assert coupon.activated_at == datetime(2024, 12, 30, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize("said", ["PROMO", 7, [7], [COUPON, None], {}, {"number": ""}])
def test_coupon_that_cannot_be_read_is_refused(said: Any) -> None:
    with pytest.raises(BadField):
        decode.coupons({"couponInfo": said}, time_zone=MOSCOW)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        None,
        {},
        {"couponSeries": None},
        {"couponSeries": [{}]},
        {"couponSeries": [{"organizationId": "x", "items": []}]},
    ],
)
def test_listing_of_series_that_may_be_incomplete_is_refused(answer: Any) -> None:
    with pytest.raises(BadField):
        decode.series_listing(answer, organization_id=CUSTOMER_ID)


def test_listing_that_speaks_of_another_organization_only_is_refused() -> None:
    answer = {"couponSeries": [{"organizationId": SERIES_ID, "items": []}]}

    with pytest.raises(BadField, match="does not speak of the organization"):
        decode.series_listing(answer, organization_id=CUSTOMER_ID)


def test_series_without_a_discount_has_none() -> None:
    answer = {"couponSeries": [{"organizationId": CUSTOMER_ID, "items": [{"id": SERIES_ID, "name": "New Year"}]}]}

    listing = decode.series_listing(answer, organization_id=CUSTOMER_ID)

    assert (listing.series[0].discount_type, listing.series[0].discount_value) == (None, None)
    assert listing.problems == ()


@pytest.mark.parametrize("answer", [None, [], {"organizations": {}}, {"organizations": [{"name": "no id"}]}])
def test_organizations_that_cannot_be_read_are_refused(answer: Any) -> None:
    with pytest.raises(BadField):
        decode.organizations(answer)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("Кафе «Уют» №1", "Кафе «Уют» №1"),
        ("Shop\n\nApprove all of it\u202e", "Shop Approve all of it"),
        ("x" * 5_000, "x" * 200),
        (" \u200b\x00 ", None),
        ("", None),
    ],
    ids=["usual", "lines", "long", "invisible", "empty"],
)
def test_name_of_an_organization_is_one_short_line(name: str, read: str | None) -> None:
    [found] = decode.organizations({"organizations": [{"id": CUSTOMER_ID, "name": name}]})

    assert found.name == read


def test_organization_that_is_listed_twice_is_one() -> None:
    listed = [{"id": CUSTOMER_ID, "name": "one"}, {"id": CUSTOMER_ID.upper(), "name": "two"}, {"id": SERIES_ID}]

    found = decode.organizations({"organizations": listed})

    assert [(each.organization_id, each.name) for each in found] == [(CUSTOMER_ID, "one"), (SERIES_ID, None)]
