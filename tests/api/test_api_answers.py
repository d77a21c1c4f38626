"""What an answer means, in the terms of the error tree; and that no error ever quotes it."""

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

from fixtures.errors import subclasses
from syrve.api import decode, decode_cloud
from syrve.api.answers import NOT_FOUND_CODES, NeedsNewToken, interpret
from syrve.api.config import SyrveConfig
from syrve.api.endpoints import (
    ACCESS_TOKEN,
    COUPON_INFO,
    CREATE_OR_UPDATE,
    CUSTOMER_INFO,
    ENDPOINTS,
    WALLET_HOLD,
    Endpoint,
)
from syrve.api.errors import (
    AuthenticationFailed,
    ConfigurationError,
    LoyaltyNotConfigured,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    Rejected,
    SyrveError,
    UnreadableAnswer,
)
from syrve.api.fields import BadField
from syrve.api.money_answers import LOYALTY_NOT_CONFIGURED_CODES
from syrve.api.protocol import Again, Answer, Backoff, Call, Done, Failed

HOLD = WALLET_HOLD
CORRELATION_ID = "1f0c0f52-5b1a-4d3e-9f60-8a2d3f7b9c11"
LOOK_UPS = (CUSTOMER_INFO, COUPON_INFO)


def meaning(endpoint: Endpoint, status: int, told: Any) -> Any:
    return interpret(endpoint, status, told if isinstance(told, bytes) else json.dumps(told).encode())


def loyalty_error(code: str | None, error_code: str | None, message: str = "") -> dict[str, Any]:
    return {"code": code, "errorCode": error_code, "message": message, "httpStatusCode": 400}


@pytest.mark.parametrize("endpoint", LOOK_UPS, ids=lambda endpoint: endpoint.operation)
@pytest.mark.parametrize("code", sorted(NOT_FOUND_CODES))
def test_code_for_not_found_is_a_normal_answer_to_a_look_up(endpoint: Endpoint, code: str) -> None:
    assert type(meaning(endpoint, 400, loyalty_error(code, None))) is NotFound
    assert type(meaning(endpoint, 400, loyalty_error(None, code))) is NotFound


def test_not_found_is_recognised_by_its_text_where_the_code_is_new() -> None:
    error = meaning(CUSTOMER_INFO, 400, loyalty_error(None, None, "There is no user with card 77"))

    assert type(error) is NotFound


@pytest.mark.parametrize("code", sorted(NOT_FOUND_CODES))
def test_code_for_not_found_is_a_refusal_where_nothing_was_looked_up(code: str) -> None:
    assert type(meaning(CREATE_OR_UPDATE, 400, loyalty_error(code, None))) is Rejected


@pytest.mark.parametrize("code", sorted(LOYALTY_NOT_CONFIGURED_CODES))
@pytest.mark.parametrize("endpoint", [CUSTOMER_INFO, CREATE_OR_UPDATE], ids=lambda endpoint: endpoint.operation)
def test_code_for_no_loyalty_says_that_the_organization_has_none(endpoint: Endpoint, code: str) -> None:
    error = meaning(endpoint, 400, loyalty_error("Transport_Other", code))

    assert type(error) is LoyaltyNotConfigured
    assert "organization" in str(error)


def test_404_with_json_is_not_found_for_a_look_up_and_a_refusal_otherwise() -> None:
    assert type(meaning(CUSTOMER_INFO, 404, {})) is NotFound
    assert type(meaning(CREATE_OR_UPDATE, 404, {})) is Rejected


@pytest.mark.parametrize("body", [b"<html>", b"", b'"nothing here"'])
def test_404_without_an_object_means_a_wrong_host_or_segment(body: bytes) -> None:
    error = interpret(CUSTOMER_INFO, 404, body)

    assert type(error) is ConfigurationError
    assert "path_segment" in str(error)


@pytest.mark.parametrize("status", [301, 302, 304, 307, 308])
def test_redirect_means_a_wrong_host(status: int) -> None:
    error = interpret(CUSTOMER_INFO, status, b"")

    assert type(error) is ConfigurationError
    assert "host" in str(error)


@pytest.mark.parametrize(
    "told",
    [
        "Right api/1/loyalty/iiko/customer/info is not allowed for this ApiLogin",
        {"errorDescription": "Right customer/info is not allowed for this ApiLogin"},
        {"message": "right customer/info IS NOT ALLOWED"},
    ],
)
def test_missing_right_is_told_by_its_name_in_the_back_office(told: Any) -> None:
    error = meaning(CUSTOMER_INFO, 401, told)

    assert isinstance(error, PermissionDenied)
    assert error.right == "Guests: info"
    assert "'Guests: info'" in str(error)


def test_403_is_a_missing_right_too() -> None:
    assert isinstance(interpret(CUSTOMER_INFO, 403, b""), PermissionDenied)


@pytest.mark.parametrize("told", [b"", b"<html>", "Token expired", {"errorDescription": "Token expired"}])
def test_other_401_asks_for_a_new_token(told: Any) -> None:
    assert isinstance(meaning(CUSTOMER_INFO, 401, told), NeedsNewToken)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("told", [b"", {"errorDescription": "Login is not authorized"}, "Right x is not allowed"])
def test_refused_login_says_to_check_the_password_field(status: int, told: Any) -> None:
    error = meaning(ACCESS_TOKEN, status, told)

    assert isinstance(error, AuthenticationFailed)
    assert "password field" in str(error)


@pytest.mark.parametrize(
    "told",
    [
        {"errorCode": "Validation_Wrong"},
        {"errorDescription": "something"},
        {"httpStatusCode": 400, "message": "something"},
    ],
)
def test_error_inside_a_200_is_an_error(told: Any) -> None:
    assert type(meaning(CUSTOMER_INFO, 200, told)) is Rejected


def test_not_found_inside_a_200_is_not_found() -> None:
    told = loyalty_error("Transport_WrongCustomerNumber", "Validation_IncorrectPhone")

    assert type(meaning(CUSTOMER_INFO, 200, told)) is NotFound


def test_customer_with_an_unknown_field_that_sounds_like_an_error_is_a_customer() -> None:
    told = {"id": CORRELATION_ID, "errorCode": "none", "httpStatusCode": 500}

    assert meaning(CUSTOMER_INFO, 200, told) == told


def test_refusal_carries_the_code_and_the_correlation_id_for_support() -> None:
    told = {"correlationId": CORRELATION_ID, "errorDescription": "text", "error": "TOO_MANY_DATA_REQUESTED"}

    error = meaning(CREATE_OR_UPDATE, 422, told)

    assert (error.code, error.correlation_id, error.status) == ("TOO_MANY_DATA_REQUESTED", CORRELATION_ID, 422)
    assert str(error) == (
        f"create_or_update: Syrve refused the request (status 422, code TOO_MANY_DATA_REQUESTED, correlation id {CORRELATION_ID})"
    )


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\xfa", b"NaN", b"Infinity", b"[" * 100_000, b'{"id": 1} x'])
def test_200_that_is_not_json_is_unreadable(body: bytes) -> None:
    assert type(interpret(CUSTOMER_INFO, 200, body)) is UnreadableAnswer


# whatever comes back

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
ANY_ENDPOINT = st.sampled_from([*ENDPOINTS.values(), HOLD])
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


READERS: dict[str, Callable[[Any], object]] = {
    "organizations": decode.organizations,
    "customer": lambda answer: decode.customer(answer, time_zone=UTC),
    "coupons": lambda answer: decode.coupons(answer, time_zone=UTC),
    "series": lambda answer: decode.series_listing(answer, organization_id=CORRELATION_ID),
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
    "endpoint", [ACCESS_TOKEN, CUSTOMER_INFO, CREATE_OR_UPDATE, HOLD], ids=lambda each: each.operation
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


# the tree

ERRORS: list[SyrveError] = [
    RateLimited("slow down", operation="customer_info", wait_seconds=5.0),
    PermissionDenied("lacks a right", right="Guests: info", operation="customer_info", status=401),
    OutcomeUnknown("open", operation="hold", status=500, code="Some_Code", correlation_id=CORRELATION_ID),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error_survives_the_way_between_processes(error: SyrveError) -> None:
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert str(again) == str(error)


def test_only_what_may_pass_by_itself_is_worth_a_retry() -> None:
    own = [cls for cls in subclasses(SyrveError) if cls.__module__ == "syrve.api.errors"]

    worth = {cls.__name__ for cls in own if cls.retry_after_seconds is not None}

    assert worth == {
        "Transient",
        "RateLimited",
        "ServiceUnavailable",
        "ConnectionFailed",
        "NotConnected",
        "TokenRefused",
        "UnreadableAnswer",
    }


@pytest.mark.parametrize("status", [429, 500, 503, 408, 403, 400])
def test_error_answer_keeps_its_correlation_id_whatever_its_status(status: int) -> None:
    told = {"correlationId": CORRELATION_ID, "errorDescription": "text"}

    error = interpret(CREATE_OR_UPDATE, status, json.dumps(told).encode())

    assert isinstance(error, SyrveError)
    assert error.correlation_id == CORRELATION_ID
