"""The table of answers to money calls, row by row: what moved, what was refused, what was not carried out, what nobody knows."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.errors import subclasses
from syrve.api.answers import interpret
from syrve.api.endpoints import CUSTOMER_INFO, ENDPOINTS, Endpoint, Safety
from syrve.api.errors import (
    ConfigurationError,
    ConnectionFailed,
    Effect,
    LoyaltyNotConfigured,
    MoneyRefused,
    NotConnected,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    ServiceUnavailable,
    SyrveError,
    TokenRefused,
    Transient,
    UnreadableAnswer,
)
from syrve.api.money_answers import TABLE, effect_of, row_for
from syrve.api.reading import read

MONEY = [endpoint for endpoint in ENDPOINTS.values() if endpoint.safety is Safety.MONEY]
CORRELATION_ID = "5f4e0007-0000-4000-8000-000000000001"
PAGE = "<!DOCTYPE html><html><body>Maintenance</body></html>"
TIMED_OUT = {"correlationId": CORRELATION_ID, "errorDescription": "Operation timed out waiting for the back end"}
RIGHT = "Right api/1/loyalty/iiko/customer/wallet/hold is not allowed for this ApiLogin"
NO_MONEY = {"code": "Transport_WrongSum", "errorCode": "Wallet_NotEnoughMoney", "httpStatusCode": 400, "message": "No"}
LOYALTY_OFF = {"code": "Transport_WrongCrmId", "errorCode": "Common_OrganizationNotFound", "httpStatusCode": 400}
MOVED, REFUSED, NOT_CARRIED_OUT, UNKNOWN = Effect

EXAMPLES: list[tuple[int, int, Any, Effect, type[SyrveError] | None]] = [
    # row of the table, HTTP status, body, effect, error
    (0, 500, {}, UNKNOWN, OutcomeUnknown),
    (0, 502, PAGE, UNKNOWN, OutcomeUnknown),
    (0, 503, PAGE, UNKNOWN, OutcomeUnknown),
    (0, 504, "", UNKNOWN, OutcomeUnknown),
    (0, 500, NO_MONEY, UNKNOWN, OutcomeUnknown),
    (0, 408, {}, UNKNOWN, OutcomeUnknown),
    (0, 408, NO_MONEY, UNKNOWN, OutcomeUnknown),
    (0, 199, {}, UNKNOWN, OutcomeUnknown),
    (0, 999, {}, UNKNOWN, OutcomeUnknown),
    (1, 200, {"httpStatusCode": 500, "message": "Internal server error"}, UNKNOWN, OutcomeUnknown),
    (1, 400, {"httpStatusCode": 500, "message": "Internal server error"}, UNKNOWN, OutcomeUnknown),
    (1, 200, {"httpStatusCode": 504, "errorCode": "Common_Timeout"}, UNKNOWN, OutcomeUnknown),
    (1, 400, {"httpStatusCode": "504", "errorCode": "Wallet_NotEnoughMoney"}, UNKNOWN, OutcomeUnknown),
    (1, 400, {"status": 500, "title": "x"}, UNKNOWN, OutcomeUnknown),
    (1, 409, {"statusCode": 408, "code": "Wallet_NotEnoughMoney"}, UNKNOWN, OutcomeUnknown),
    (1, 200, {"httpStatusCode": 408, "transactionId": CORRELATION_ID}, UNKNOWN, OutcomeUnknown),
    (1, 401, {"httpStatusCode": 503}, UNKNOWN, OutcomeUnknown),
    (1, 200, {"httpStatusCode": 500.0}, UNKNOWN, OutcomeUnknown),
    (1, 200, {"httpStatusCode": 200, "status": 500}, UNKNOWN, OutcomeUnknown),
    (1, 200, {"httpStatusCode": 200, "status": 403}, UNKNOWN, OutcomeUnknown),
    (1, 200, {"httpStatusCode": 429, "status": 500}, UNKNOWN, OutcomeUnknown),
    (1, 400, NO_MONEY | {"statusCode": 500}, UNKNOWN, OutcomeUnknown),
    (1, 200, {"httpStatusCode": 429, "transactionId": CORRELATION_ID}, UNKNOWN, OutcomeUnknown),
    (1, 404, '{"code": "Transport_WrongSum", "code": "Wallet_NotEnoughMoney"}', UNKNOWN, OutcomeUnknown),
    (1, 200, '{"transactionId": "a", "transactionId": "b"}', UNKNOWN, OutcomeUnknown),
    (1, 401, '{"message": "a", "message": "b"}', UNKNOWN, OutcomeUnknown),
    (11, 200, {"status": "error"}, UNKNOWN, OutcomeUnknown),
    (11, 200, {"status": "Failed"}, UNKNOWN, OutcomeUnknown),
    (11, 200, {"success": "false"}, UNKNOWN, OutcomeUnknown),
    (11, 200, {"Success": False}, UNKNOWN, OutcomeUnknown),
    (11, 200, {"isSuccess": False, "transactionId": CORRELATION_ID}, UNKNOWN, OutcomeUnknown),
    (11, 200, {"Error": "no"}, UNKNOWN, OutcomeUnknown),
    (11, 200, {"errorMessage": "no"}, UNKNOWN, OutcomeUnknown),
    (11, 200, {"result": "Error"}, UNKNOWN, OutcomeUnknown),
    (11, 200, {"state": "failed"}, UNKNOWN, OutcomeUnknown),
    (11, 200, {"reason": "declined"}, UNKNOWN, OutcomeUnknown),
    (11, 200, {"data": {"errors": [{"text": "no"}]}}, UNKNOWN, OutcomeUnknown),
    (11, 200, {"data": [{"success": False}]}, UNKNOWN, OutcomeUnknown),
    (1, 200, {"HttpStatusCode": 500}, UNKNOWN, OutcomeUnknown),
    (10, 200, {"status": "ok", "success": "true"}, MOVED, None),
    (10, 200, {"resultCode": 0, "data": {"preferred": True}}, MOVED, None),
    (2, 429, "", NOT_CARRIED_OUT, RateLimited),
    (2, 429, PAGE, NOT_CARRIED_OUT, RateLimited),
    (2, 200, {"httpStatusCode": 429, "message": "Too many requests"}, NOT_CARRIED_OUT, RateLimited),
    (3, 302, PAGE, NOT_CARRIED_OUT, ConfigurationError),
    (3, 301, "moved", NOT_CARRIED_OUT, ConfigurationError),
    (3, 307, {}, NOT_CARRIED_OUT, ConfigurationError),
    (3, 300, {}, NOT_CARRIED_OUT, ConfigurationError),
    (3, 302, {"httpStatusCode": 429}, NOT_CARRIED_OUT, ConfigurationError),
    (11, 409, {"httpStatusCode": 429, "message": "x"}, UNKNOWN, OutcomeUnknown),
    (11, 200, {"code": "Transport_WrongSum", "httpStatusCode": 200}, UNKNOWN, OutcomeUnknown),
    (3, 399, {}, NOT_CARRIED_OUT, ConfigurationError),
    (4, 404, PAGE, NOT_CARRIED_OUT, ConfigurationError),
    (4, 403, "\n <html>blocked", NOT_CARRIED_OUT, ConfigurationError),
    (4, 400, "<h1>Bad request</h1>", NOT_CARRIED_OUT, ConfigurationError),
    (4, 401, PAGE, NOT_CARRIED_OUT, ConfigurationError),
    (5, 401, RIGHT, NOT_CARRIED_OUT, PermissionDenied),
    (5, 401, {"errorDescription": RIGHT}, NOT_CARRIED_OUT, PermissionDenied),
    (5, 400, {"httpStatusCode": 401, "message": RIGHT}, NOT_CARRIED_OUT, PermissionDenied),
    (5, 403, "", NOT_CARRIED_OUT, PermissionDenied),
    (5, 200, {"httpStatusCode": 403, "message": "no"}, NOT_CARRIED_OUT, PermissionDenied),
    (6, 401, "", NOT_CARRIED_OUT, TokenRefused),
    (6, 401, {"errorDescription": "Token expired"}, NOT_CARRIED_OUT, TokenRefused),
    (6, 200, {"httpStatusCode": 401, "message": "Token expired"}, NOT_CARRIED_OUT, TokenRefused),
    (7, 400, LOYALTY_OFF, NOT_CARRIED_OUT, LoyaltyNotConfigured),
    (7, 200, LOYALTY_OFF, NOT_CARRIED_OUT, LoyaltyNotConfigured),
    (8, 400, NO_MONEY, REFUSED, MoneyRefused),
    (8, 200, NO_MONEY, REFUSED, MoneyRefused),
    (8, 200, {"errorCode": "Wallet_NotEnoughMoney"}, REFUSED, MoneyRefused),
    (8, 499, NO_MONEY, REFUSED, MoneyRefused),
    (8, 409, {"errorCode": "Transaction_AlreadyCancelled"}, REFUSED, MoneyRefused),
    (8, 404, {"code": "Transport_WrongWalletId", "errorCode": None}, REFUSED, MoneyRefused),
    (8, 422, {"error": "SUM_TOO_LARGE", "errorDescription": "x"}, REFUSED, MoneyRefused),
    (9, 404, {"errorDescription": "There is no such method", "error": None}, NOT_CARRIED_OUT, ConfigurationError),
    (9, 404, "", NOT_CARRIED_OUT, ConfigurationError),
    (9, 405, {}, NOT_CARRIED_OUT, ConfigurationError),
    (10, 200, {}, MOVED, None),
    (10, 299, {}, MOVED, None),
    (10, 201, {"correlationId": CORRELATION_ID, "transactionId": CORRELATION_ID}, MOVED, None),
    (10, 200, {"errorCode": None, "message": "", "httpStatusCode": 200}, MOVED, None),
    (11, 400, TIMED_OUT, UNKNOWN, OutcomeUnknown),
    (11, 200, TIMED_OUT, UNKNOWN, OutcomeUnknown),
    (11, 400, {}, UNKNOWN, OutcomeUnknown),
    (11, 400, "", UNKNOWN, OutcomeUnknown),
    (11, 402, {"message": "no"}, UNKNOWN, OutcomeUnknown),
    (11, 400, {"errorCode": "Common_Timeout"}, UNKNOWN, OutcomeUnknown),
    (11, 400, {"error": "OPERATION_TIMED_OUT"}, UNKNOWN, OutcomeUnknown),
    (11, 400, {"error": "INTERNAL_SERVER_ERROR"}, UNKNOWN, OutcomeUnknown),
    (11, 400, {"code": "Transport_WrongSum", "message": "The request timed out"}, UNKNOWN, OutcomeUnknown),
    (11, 400, {"code": "Transport_WrongSum", "httpStatusCode": 200}, UNKNOWN, OutcomeUnknown),
    (11, 200, {"code": "Transport_WrongSum", "transactionId": CORRELATION_ID}, UNKNOWN, OutcomeUnknown),
    (11, 404, {"errorDescription": "The back end timed out"}, UNKNOWN, OutcomeUnknown),
    (11, 200, PAGE, UNKNOWN, OutcomeUnknown),
    (11, 200, "", UNKNOWN, OutcomeUnknown),
    (11, 200, [], UNKNOWN, OutcomeUnknown),
    (11, 200, None, UNKNOWN, OutcomeUnknown),
    (11, 200, {"success": False}, UNKNOWN, OutcomeUnknown),
    (11, 200, {"errors": {"sum": ["x"]}}, UNKNOWN, OutcomeUnknown),
    (11, 200, {"message": "something"}, UNKNOWN, OutcomeUnknown),
]


def raw(body: Any) -> bytes:
    if isinstance(body, str) and not body.startswith("Right"):
        return body.encode()
    return json.dumps(body).encode()


@pytest.mark.parametrize(("row", "status", "body", "effect", "error"), EXAMPLES)
def test_money_answer_means_what_its_row_says(
    row: int, status: int, body: Any, effect: Effect, error: type[SyrveError] | None
) -> None:
    assert TABLE.index(row_for(read(status, raw(body)))) == row
    for endpoint in MONEY:
        value = interpret(endpoint, status, raw(body))

        assert TABLE[row].effect is effect
        if error is None:
            assert value == body
        else:
            assert type(value) is error
            assert effect_of(value) is effect
            assert (value.operation, value.status) == (endpoint.operation, 429 if error is RateLimited else status)


def test_error_names_the_code_that_says_most() -> None:
    for endpoint in MONEY:
        for status, body in ((400, NO_MONEY), (500, NO_MONEY)):
            error = interpret(endpoint, status, raw(body))
            assert isinstance(error, OutcomeUnknown | MoneyRefused)
            assert error.code == NO_MONEY["errorCode"]


def test_every_row_of_the_money_table_has_an_example() -> None:
    assert {row for row, *_ in EXAMPLES} == set(range(len(TABLE)))
    assert len({row.answers for row in TABLE}) == len(TABLE)


NAMES = ("code", "errorCode", "error", "errorDescription", "message", "httpStatusCode", "transactionId", "status", "id")
VALUES = st.sampled_from(
    [None, "", "Wallet_NotEnoughMoney", "Common_Timeout", "text", RIGHT, 200, 400, 401, 500, 504, True]
)
BODIES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([PAGE, "[]", "null", "{}"]).map(str.encode),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5).map(lambda body: json.dumps(body).encode()),
)


@given(status=st.integers(0, 999), body=BODIES)
def test_money_answer_is_believed_only_for_a_reason(status: int, body: bytes) -> None:
    reading = read(status, body)
    effect = row_for(reading).effect
    fails = status >= 500 or status == 408 or (reading.own_status or 0) >= 500 or reading.own_status == 408

    if effect is not UNKNOWN:
        assert not fails
    if effect is MOVED:
        assert 200 <= status < 300
        assert isinstance(reading.body, dict)
        assert not reading.has_error_sign
    if effect is REFUSED:
        assert reading.codes
        assert not reading.names_trouble
    if effect is NOT_CARRIED_OUT and 200 <= status < 300:
        assert reading.codes or reading.own_status in (401, 403, 429)


def test_error_class_leaves_money_unknown_unless_it_says_otherwise() -> None:
    known = {cls.__name__: cls.effect for cls in subclasses(SyrveError) if cls.effect is not UNKNOWN}

    assert known == {
        "AuthenticationFailed": NOT_CARRIED_OUT,
        "ConfigurationError": NOT_CARRIED_OUT,
        "LoyaltyNotConfigured": NOT_CARRIED_OUT,
        "MoneyRefused": REFUSED,
        "NotConnected": NOT_CARRIED_OUT,
        "PermissionDenied": NOT_CARRIED_OUT,
        "RateLimited": NOT_CARRIED_OUT,
        "TokenRefused": NOT_CARRIED_OUT,
        "UnsupportedByDialect": NOT_CARRIED_OUT,
        "UntrustedCertificate": NOT_CARRIED_OUT,
    }


@pytest.mark.parametrize("operation", ["customer_info", "create_or_update", "access_token"])
def test_error_of_no_money_call_moved_no_money(operation: str) -> None:
    assert effect_of(ConnectionFailed("reset", operation=operation)) is NOT_CARRIED_OUT


def test_text_of_an_error_does_not_decide_what_moved() -> None:
    could_not = ConnectionFailed("could not connect", operation="wallet_topup")

    assert effect_of(could_not) is UNKNOWN
    assert effect_of(NotConnected("whatever", operation="wallet_topup")) is NOT_CARRIED_OUT


@pytest.mark.parametrize(
    "error", [UnreadableAnswer, ServiceUnavailable, ConnectionFailed], ids=lambda each: each.__name__
)
def test_money_is_not_sent_where_the_token_call_failed(error: type[Transient]) -> None:
    assert effect_of(error("x", operation="access_token")) is NOT_CARRIED_OUT
    assert effect_of(error("x", operation="wallet_topup")) is UNKNOWN


@pytest.mark.parametrize("status", [200, 400])
def test_look_up_is_repeated_where_a_body_says_the_service_failed(status: int) -> None:
    def meaning(endpoint: Endpoint, body: dict[str, Any]) -> type[Any]:
        return type(interpret(endpoint, status, json.dumps(body).encode()))

    assert meaning(CUSTOMER_INFO, {"httpStatusCode": 500, "message": "Internal server error"}) is ServiceUnavailable
    assert meaning(CUSTOMER_INFO, {"httpStatusCode": 408, "code": "Transport_WrongCustomerId"}) is ServiceUnavailable
    assert meaning(CUSTOMER_INFO, {"httpStatusCode": 429, "errorDescription": "slow"}) is RateLimited
