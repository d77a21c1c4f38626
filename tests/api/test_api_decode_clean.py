"""A clean record is read in one go, and gives exactly what reading it field by field gives."""

import copy
from collections.abc import Iterator
from datetime import UTC
from decimal import Decimal
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.answers import EMPTY
from syrve.api.config import SyrveConfig
from syrve.api.decode import customer, tolerant_customer
from syrve.api.decode_clean import clean_customer
from syrve.api.dialects import DIALECTS, dialect_named
from syrve.api.endpoints import CUSTOMER_INFO
from syrve.api.fields import MAX_TEXT_LENGTH, BadField
from syrve.api.models import Lookup
from syrve.api.transports.blocking import BlockingTransport
from syrve_simulator.process import start_simulator

MOSCOW = ZoneInfo("Europe/Moscow")
ID = "5f4e0001-0000-4000-8000-000000000001"
OTHER_ID = "5f4e0001-0000-4000-8000-0000000000ab"


def answers_of(dialect: str, customers: int = 120) -> Iterator[dict[str, Any]]:
    """What the simulator answers about each customer of a population."""
    with start_simulator(customers=customers, organizations=1, seed=37, dialect=dialect) as simulator:
        organization_id = simulator.control.organizations()[0]["organization_id"]
        transport = BlockingTransport(SyrveConfig(simulator.url, "demo-login", dialect=dialect), dialect_named(dialect))
        for each in simulator.control.customers(organization_id):
            lookup = Lookup(organization_id, "id", each["customer_id"])
            yield transport.call(CUSTOMER_INFO, dialect_named(dialect).body(CUSTOMER_INFO.operation, lookup))
        transport.close()


@pytest.fixture(scope="module")
def answers() -> list[dict[str, Any]]:
    return [answer for dialect in DIALECTS for answer in answers_of(dialect)]


def outcome(read: Any, answer: Any) -> str:
    """The customer to the last digit of every number, problems and unknown fields included, or the refusal."""
    try:
        return repr(read(answer))
    except BadField as problem:
        return f"refused: {problem}"


def assert_read_alike(answer: Any, zone: Any = MOSCOW) -> None:
    kept = copy.deepcopy(answer)
    slowly = outcome(lambda record: tolerant_customer(record, zone), answer)
    clean = clean_customer(answer, zone)

    assert clean is None or repr(clean) == slowly
    assert outcome(lambda record: customer(record, time_zone=zone), answer) == slowly
    assert repr(answer) == repr(kept)


def test_every_customer_of_the_simulator_is_clean_and_read_alike(answers: list[dict[str, Any]]) -> None:
    for answer in answers:
        assert clean_customer(answer, MOSCOW) is not None
        assert_read_alike(answer)


NUMBERS = st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=()), max_size=4)
CLOCKS = st.from_regex(
    r" ?[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9](:00)?(\.000)?(Z|[+-][0-2][0-9]:00)?)?", fullmatch=True
)
ODD_ONES: tuple[Any, ...] = (
        *(None, "", " ", True, False, 0, 1, 2, 3, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) + 1, 10**15, 10**29, 10**30),
        *("Male", "female", " NotSpecified ", "1", "true", "12.50", "no", "x" * MAX_TEXT_LENGTH, "x" * (MAX_TEXT_LENGTH + 1)),
        *(Decimal("0.10"), Decimal("1.0"), Decimal("-0"), Decimal("1E+30"), Decimal("1E+31"), Decimal("1E-31")),
        *(Decimal("1." + "0" * 29), Decimal("1." + "0" * 30), Decimal("1E+999999")),
        *(ID, ID.upper(), f"{ID}\n", f"{{{ID}}}", ID.replace("-", ""), f" {ID}", "0" * 36),
        *("a\x00b", "\ud83d", "a\nb", "a\u00a0b", "2019-10-03 15:57:36.000", "0001-01-01T00:00:00+14:00", "9999-12-31"),
        *([], {}, [{}], [None], {"id": ID}, [{"id": ID}], [{"id": ID, "balance": 1}], [[[1]]], {"a": {"b": ["\x00"]}}),
)  # fmt: skip
VALUES = st.sampled_from(ODD_ONES) | NUMBERS | TEXTS | CLOCKS
MODELLED = (
    *("id", "phone", "email", "name", "surname", "middleName", "birthday", "sex", "referrerId", "programId", "programName"),
    *("shouldReceiveOrderStatusNotifications", "shouldReceiveOrderStatusInfo", "shouldReceivePromoActionsInfo", "isDeleted"),
    *("personalDataProcessingConsentFrom", "personalDataProcessingConsentTo", "personalDataConsentFrom"),
    *("personalDataConsentTo", "walletBalances", "cards", "categories", "correlationId", "comment", "unknown"),
)  # fmt: skip
LISTS = {
    "walletBalances": ("id", "name", "type", "balance", "unknown"),
    "cards": ("id", "track", "number", "validToDate", "unknown"),
    "categories": ("id", "name", "isActive", "isDefaultForNewGuests", "unknown"),
}


Drawn = TypeVar("Drawn")


class Draw(Protocol):
    """How `st.data()` draws."""

    def __call__(self, strategy: st.SearchStrategy[Drawn], /) -> Drawn: ...


def change(draw: Draw, answer: dict[str, Any]) -> None:
    """Change one thing about a record."""
    kind = draw(st.sampled_from(["field", "field", "missing", "child", "child", "child missing", "twice", "order"]))
    if kind == "field":
        answer[draw(st.sampled_from(MODELLED))] = draw(VALUES)
    elif kind == "missing":
        answer.pop(draw(st.sampled_from(MODELLED)), None)
    else:
        name = draw(st.sampled_from(sorted(LISTS)))
        children = answer.get(name)
        if not isinstance(children, list) or not children:
            return
        child = draw(st.sampled_from(children))
        if kind == "twice":
            children.append(copy.deepcopy(child))
        elif kind == "order":
            answer[name] = draw(st.permutations(children))
        elif isinstance(child, dict):
            field = draw(st.sampled_from(LISTS[name]))
            if kind == "child":
                child[field] = draw(VALUES)
            else:
                child.pop(field, None)


def test_record_that_was_tampered_with_is_read_alike(answers: list[dict[str, Any]]) -> None:
    @settings(max_examples=1_500)
    @given(data=st.data(), zone=st.sampled_from([MOSCOW, UTC]))
    def check(data: st.DataObject, zone: Any) -> None:
        answer = copy.deepcopy(data.draw(st.sampled_from(answers)))
        for _ in range(data.draw(st.integers(1, 3))):
            change(data.draw, answer)

        assert_read_alike(answer, zone)

    check()


@pytest.mark.parametrize("name", MODELLED)
def test_record_with_any_one_field_odd_is_read_alike(answers: list[dict[str, Any]], name: str) -> None:
    for value in ODD_ONES:
        for answer in (answers[0], answers[-1]):
            assert_read_alike(answer | {name: value})


@pytest.mark.parametrize(("name", "field"), [(name, field) for name, fields in LISTS.items() for field in fields])
def test_child_with_any_one_field_odd_is_read_alike(name: str, field: str) -> None:
    for value in ODD_ONES:
        child = {"id": OTHER_ID, "balance": 1} | {field: value}
        assert_read_alike(EMPTY | {"id": ID, name: [child, {"id": ID, "balance": 2}]})


@pytest.mark.parametrize("answer", [None, [], "text", 7, {}, {"id": None}, [{"id": ID}]])
def test_answer_that_is_no_record_is_read_alike(answer: Any) -> None:
    assert_read_alike(answer)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ID.upper()),
        ("phone", 79001234567),
        ("birthday", "1990-02-30"),
        ("birthday", "1990-05-14T21:00:00Z"),
        ("sex", 3),
        ("isDeleted", "false"),
        ("walletBalances", [{"id": ID, "balance": "1"}]),
        ("walletBalances", [{"id": ID, "balance": 1}, {"id": ID, "balance": 1}]),
        ("cards", [{"id": ID, "validToDate": "never"}]),
    ],
)
def test_record_that_has_to_be_put_right_is_not_clean(field: str, value: Any) -> None:
    assert clean_customer(EMPTY | {"id": OTHER_ID, field: value}, MOSCOW) is None


@pytest.mark.parametrize("empty", [None, ""])
def test_empty_fields_are_clean(empty: Any) -> None:
    answer = EMPTY | {
        "id": ID,
        "name": empty,
        "birthday": empty,
        "sex": empty,
        "referrerId": empty,
        "personalDataConsentTo": empty,
    }

    assert clean_customer(answer, MOSCOW) == clean_customer(EMPTY | {"id": ID}, MOSCOW) is not None
