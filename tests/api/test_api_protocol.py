"""What the protocol decides about a call: pure, without a server and without waiting."""

import random
from itertools import repeat

import pytest

from fixtures.played_calls import (
    DEADLINE_SECONDS,
    EXCHANGE_SECONDS,
    GOOD,
    PASSING_TROUBLE,
    REFUSED_TOKEN,
    REPEATABLE,
    config,
    make_call,
    play,
)
from syrve.api.endpoints import ACCESS_TOKEN, CUSTOMER_INFO, Endpoint
from syrve.api.errors import (
    AuthenticationFailed,
    MalformedAnswer,
    RateLimited,
    Rejected,
    ServiceUnavailable,
    TokenRefused,
    UnreadableAnswer,
)
from syrve.api.protocol import (
    ALONE_DEADLINE_SECONDS,
    UNREADABLE_DEADLINE_SECONDS,
    Again,
    Answer,
    Backoff,
    Call,
    CallStats,
    Done,
    Failed,
    Fault,
    FaultKind,
)


def test_good_answer_ends_the_call_with_its_value() -> None:
    ending = play(make_call(CUSTOMER_INFO), [GOOD])

    assert ending.verdict == Done({"id": "x"})


@pytest.mark.parametrize("endpoint", REPEATABLE, ids=lambda endpoint: endpoint.operation)
@pytest.mark.parametrize("trouble", PASSING_TROUBLE)
def test_call_that_may_be_repeated_survives_passing_trouble(endpoint: Endpoint, trouble: str) -> None:
    outcome, _ = PASSING_TROUBLE[trouble]

    ending = play(make_call(endpoint), [outcome, outcome, GOOD])

    assert isinstance(ending.verdict, Done)
    assert len(ending.repeats) == 2


@pytest.mark.parametrize("endpoint", REPEATABLE, ids=lambda endpoint: endpoint.operation)
def test_answer_that_is_never_json_is_given_up_soon(endpoint: Endpoint) -> None:
    ending = play(make_call(endpoint), repeat(Answer(200, {}, b"<html>")))

    assert type(ending.error) is UnreadableAnswer
    assert len(ending.repeats) > 2
    assert ending.now <= 1000.0 + UNREADABLE_DEADLINE_SECONDS + EXCHANGE_SECONDS


@pytest.mark.parametrize("endpoint", REPEATABLE, ids=lambda endpoint: endpoint.operation)
@pytest.mark.parametrize("trouble", [name for name in PASSING_TROUBLE if name != "not JSON"])
def test_lasting_trouble_is_repeated_until_the_deadline_and_then_told(endpoint: Endpoint, trouble: str) -> None:
    outcome, error = PASSING_TROUBLE[trouble]

    ending = play(make_call(endpoint), repeat(outcome))

    assert type(ending.error) is error
    assert ending.error.operation == endpoint.operation
    assert len(ending.repeats) > 3
    assert ending.now <= 1000.0 + DEADLINE_SECONDS + EXCHANGE_SECONDS
    assert ending.now + Backoff().cap_seconds > 1000.0 + DEADLINE_SECONDS


@pytest.mark.parametrize("endpoint", REPEATABLE, ids=lambda endpoint: endpoint.operation)
def test_refused_token_is_renewed_until_the_deadline(endpoint: Endpoint) -> None:
    ending = play(make_call(endpoint), repeat(REFUSED_TOKEN))

    assert type(ending.error) is TokenRefused
    assert set(ending.repeats) == {Again(0.0, renew_token=True)}
    assert ending.now <= 1000.0 + DEADLINE_SECONDS + EXCHANGE_SECONDS


def test_refused_login_is_not_tried_again() -> None:
    ending = play(make_call(ACCESS_TOKEN), [REFUSED_TOKEN])

    assert isinstance(ending.error, AuthenticationFailed)
    assert ending.error.operation == "access_token"


@pytest.mark.parametrize("endpoint", REPEATABLE, ids=lambda endpoint: endpoint.operation)
@pytest.mark.parametrize("status", [400, 409, 422])
def test_refusal_is_not_tried_again(endpoint: Endpoint, status: int) -> None:
    ending = play(make_call(endpoint), [Answer(status, {}, b"{}")])

    assert type(ending.error) is Rejected


def test_answer_that_is_too_large_is_not_asked_for_again() -> None:
    ending = play(make_call(CUSTOMER_INFO), [Fault(FaultKind.TOO_LARGE)])

    assert type(ending.error) is MalformedAnswer


def test_request_carries_token_time_out_and_the_brand_of_the_path() -> None:
    call = Call(
        CUSTOMER_INFO,
        {"name": "Жанна"},
        config(path_segment="syrve", timeout_seconds=7.9),
        started_at=0.0,
        rng=random.Random(1),
        backoff=Backoff(),
    )

    request = call.request("token-1")

    assert request.url == "https://syrve.test/api/1/loyalty/syrve/customer/info"
    assert request.headers["Authorization"] == "Bearer token-1"
    assert (request.headers["Timeout"], request.timeout_seconds) == ("7", 7.9)
    assert request.body == '{"name":"Жанна"}'.encode()


def test_neither_token_nor_body_shows_in_the_text_of_request_and_answer() -> None:
    request = make_call(CUSTOMER_INFO).request("canary-token")
    answer = Answer(200, {"x": "canary"}, b"canary")

    assert "canary" not in repr(request) + str(request) + repr(answer) + str(answer)


def test_stats_count_requests_repeats_and_refusals_for_rate_and_start_anew_when_taken() -> None:
    stats = CallStats()
    for verdict in (
        Again(1.0, rate_limited=True),
        Again(1.0),
        Done(None),
        Failed(RateLimited("slow down", operation="customer_info")),
    ):
        stats.count(verdict)

    assert stats.take() == CallStats(calls=4, retries=2, rate_limited=2)
    assert stats.take() == CallStats()


def test_call_that_fails_while_others_are_answered_ends_soon() -> None:
    alone = make_call(CUSTOMER_INFO)
    now, failing = 1000.0, Answer(500, {}, b"{}")
    while isinstance(verdict := alone.decide(failing, now, others_answered_at=now + 0.1), Again):
        now += verdict.wait_seconds

    assert isinstance(verdict, Failed)
    assert isinstance(verdict.error, ServiceUnavailable)
    assert verdict.error.failed_alone
    assert 2.0 < verdict.error.tried_seconds <= now - 1000.0 <= ALONE_DEADLINE_SECONDS


@pytest.mark.parametrize(("status", "is_alone"), [(500, True), (503, False)])
def test_500_behind_the_answers_of_others_is_its_own(status: int, is_alone: bool) -> None:
    ending = make_call(CUSTOMER_INFO)  # sent at 1000; the others, sent with it, were answered before it came
    now, failing = 1000.2, Answer(status, {}, b"{}")
    while isinstance(verdict := ending.decide(failing, now, others_answered_at=1000.1), Again):
        now += verdict.wait_seconds

    assert isinstance(verdict, Failed)
    assert isinstance(verdict.error, ServiceUnavailable)
    assert verdict.error.failed_alone is is_alone
    assert (now - 1000.2 <= ALONE_DEADLINE_SECONDS) is is_alone


def test_call_that_fails_with_all_others_waits_for_the_service() -> None:
    ending = play(make_call(CUSTOMER_INFO), [Answer(500, {}, b"{}")] * 500)

    assert isinstance(ending.error, ServiceUnavailable)
    assert not ending.error.failed_alone
    assert ending.error.tried_seconds > DEADLINE_SECONDS / 2
