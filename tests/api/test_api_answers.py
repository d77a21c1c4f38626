"""What an answer means, in the terms of the error tree; and that no error ever quotes it."""

import json
import pickle
from typing import Any

import pytest

from fixtures.errors import subclasses
from syrve.api.answers import NOT_FOUND_CODES, NeedsNewToken, interpret
from syrve.api.endpoints import ACCESS_TOKEN, COUPON_INFO, CREATE_OR_UPDATE, CUSTOMER_INFO, WALLET_HOLD, Endpoint
from syrve.api.errors import (
    AuthenticationFailed,
    ConfigurationError,
    LoyaltyNotConfigured,
    MalformedAnswer,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    Rejected,
    ServiceUnavailable,
    SyrveError,
    UnreadableAnswer,
)
from syrve.api.money_answers import LOYALTY_NOT_CONFIGURED_CODES

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


@pytest.mark.parametrize("status", [200, 400, 404])
def test_answer_that_says_two_things_under_one_key_is_malformed(status: int) -> None:
    error = interpret(CUSTOMER_INFO, status, b'{"code": "Transport_WrongCustomerNumber", "code": "Other_Code"}')

    assert type(error) is MalformedAnswer
    assert "Code" not in str(error)


def test_key_twice_hides_neither_an_outage_nor_a_refused_token() -> None:
    body = b'{"message": "a", "message": "b"}'

    assert type(interpret(CUSTOMER_INFO, 500, body)) is ServiceUnavailable
    assert isinstance(interpret(CUSTOMER_INFO, 401, body), NeedsNewToken)


# whatever comes back


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
