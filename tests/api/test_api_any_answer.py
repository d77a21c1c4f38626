"""Whatever comes back is a value, an error or a bounded wait; and no error or problem holds a word of it."""

import json
import pickle
import random
import traceback
from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.answers import EMPTY
from syrve.api import decode, decode_cloud
from syrve.api.answers import interpret
from syrve.api.config import SyrveConfig
from syrve.api.endpoints import ACCESS_TOKEN, CREATE_OR_UPDATE, CUSTOMER_INFO, ENDPOINTS, WALLET_HOLD, Endpoint
from syrve.api.errors import SyrveError
from syrve.api.fields import BadField
from syrve.api.protocol import Again, Answer, Backoff, Call, Done, Failed

ORGANIZATION_ID = "1f0c0f52-5b1a-4d3e-9f60-8a2d3f7b9c11"


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20))
ANY_JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
)
ERROR_NAMES = ("code", "errorCode", "error", "errorDescription", "message", "description", "correlationId")
ANSWER_NAMES = (
    "id",
    "httpStatusCode",
    "couponInfo",
    "couponSeries",
    "organizations",
    "walletBalances",
    "sex",
    "birthday",
)
ANSWER_LIKE = st.dictionaries(st.sampled_from(ERROR_NAMES + ANSWER_NAMES), ANY_JSON, max_size=6)
ANY_BODY = st.one_of(
    st.binary(max_size=60),
    st.one_of(ANY_JSON, ANSWER_LIKE).map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"1e99999999999999999999", b'{"id": 1e99999999999999999999}', b"9" * 5000, b'{"a": ' * 2000]),
)
ANY_HEADERS = st.one_of(st.just({}), st.builds(lambda text: {"retry-after": text}, st.text(max_size=40)))
ANY_ENDPOINT = st.sampled_from([*ENDPOINTS.values(), WALLET_HOLD])
CONFIG = SyrveConfig(base_url="https://syrve.test", api_login="login", dialect="cloud")


def decide(endpoint: Endpoint, status: int, headers: dict[str, str], body: bytes) -> Done | Failed | Again:
    call = Call(endpoint, {}, CONFIG, started_at=0.0, rng=random.Random(1), backoff=Backoff())
    return call.decide(Answer(status, headers, body), 0.1)


@given(endpoint=ANY_ENDPOINT, status=st.integers(0, 999), headers=ANY_HEADERS, body=ANY_BODY)
def test_no_answer_whatever_gives_anything_but_a_value_an_error_or_a_bounded_wait(
    endpoint: Endpoint, status: int, headers: dict[str, str], body: bytes
) -> None:
    verdict = decide(endpoint, status, headers, body)

    if isinstance(verdict, Again):
        assert 0 <= verdict.wait_seconds <= CONFIG.call_deadline_seconds
    elif isinstance(verdict, Failed):
        assert verdict.error.operation == endpoint.operation
    else:
        assert 200 <= status < 300


def said_of(answer: Any) -> Any:
    return EMPTY | answer if isinstance(answer, dict) else answer


READERS: dict[str, Callable[[Any], object]] = {
    "organizations": decode.organizations,
    "customer": lambda answer: decode.customer(answer, time_zone=UTC),
    "customer of whom something is said": lambda answer: decode.customer(said_of(answer), time_zone=UTC),
    "coupons": lambda answer: decode.coupons(answer, time_zone=UTC),
    "series": lambda answer: decode.series_listing(answer, organization_id=ORGANIZATION_ID),
    "id": decode.id_of,
    "programme membership": decode_cloud.program_membership,
    "hold": decode_cloud.hold_id,
    "categories": decode_cloud.categories,
    "programmes": decode_cloud.programs,
    "coupons of a series": decode_cloud.coupons_of_series,
    "transactions": decode_cloud.transactions,
    "deleted": lambda answer: decode_cloud.customers_changed(answer, "deleted"),
}


def problem_of(reader: str, answer: Any) -> Exception | None:
    try:
        READERS[reader](answer)
    except Exception as problem:  # noqa: BLE001
        return problem
    return None


@given(body=ANY_BODY, reader=st.sampled_from(sorted(READERS)))
def test_no_good_answer_whatever_breaks_its_reader(body: bytes, reader: str) -> None:
    value = interpret(CUSTOMER_INFO, 200, body)
    if isinstance(value, SyrveError):
        return

    problem = problem_of(reader, value)

    assert problem is None or isinstance(problem, BadField)


CANARIES = (
    "Глафира",
    "Glafira",
    "Anna-Maria",
    "anna_maria",
    "+79001234567",
    "glafira@example.test",
    "There is no user with phone +79001234567",
    "Right Glafira is not allowed for Glafira",
)
SECRETS = ("Глафира", "Glafira", "Anna", "anna", "79001234567", "example.test")
NOISY = st.one_of(
    st.dictionaries(st.sampled_from(ERROR_NAMES + ANSWER_NAMES), st.sampled_from(CANARIES), min_size=1, max_size=8),
    st.sampled_from(CANARIES),
    st.lists(st.sampled_from(CANARIES), max_size=3),
)


def everything_told_by(error: BaseException) -> str:
    pickled = pickle.dumps(error)
    again = pickle.loads(pickled)
    texts = [str(error), repr(error), str(again), repr(again), *traceback.format_exception(error)]
    return "\n".join([*texts, repr(vars(error)), pickled.decode("utf-8", "replace")])


STATUSES = (200, 302, 400, 401, 403, 404, 408, 409, 422, 429, 500)


@pytest.mark.parametrize(
    "endpoint", [ACCESS_TOKEN, CUSTOMER_INFO, CREATE_OR_UPDATE, WALLET_HOLD], ids=lambda each: each.operation
)
@pytest.mark.parametrize("canary", CANARIES)
def test_no_error_holds_a_word_of_the_answer(endpoint: Endpoint, canary: str) -> None:
    bodies: list[Any] = [canary, [canary], *({name: canary} for name in ERROR_NAMES + ANSWER_NAMES)]
    bodies.append(dict.fromkeys(ERROR_NAMES, canary))
    raw = [canary.encode(), *(json.dumps(body, ensure_ascii=False).encode() for body in bodies)]
    verdicts = [decide(endpoint, status, {"retry-after": canary}, body) for status in STATUSES for body in raw]
    errors = [verdict.error for verdict in verdicts if isinstance(verdict, Failed)]

    told = "\n".join(everything_told_by(error) for error in errors)

    assert len(errors) > 50
    assert not [secret for secret in SECRETS if secret in told]


@given(told=NOISY, reader=st.sampled_from(sorted(READERS)))
def test_problem_of_a_record_names_the_field_and_never_its_value(told: Any, reader: str) -> None:
    problem = problem_of(reader, told)

    assert problem is None or not [secret for secret in SECRETS if secret in everything_told_by(problem)]
