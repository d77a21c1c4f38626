"""What the protocol decides about a call: pure, without a server and without waiting."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise, repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syrve.api.config import SyrveConfig
from syrve.api.endpoints import ACCESS_TOKEN, COUPON_INFO, CREATE_OR_UPDATE, CUSTOMER_INFO, WALLET_HOLD, Endpoint
from syrve.api.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    MalformedAnswer,
    MoneyRefused,
    NotConnected,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    ServiceUnavailable,
    SyrveError,
    TokenRefused,
    Transient,
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
    Verdict,
)
from syrve.api.reading import retry_after_seconds

HOLD = WALLET_HOLD
REPEATABLE = (CUSTOMER_INFO, CREATE_OR_UPDATE, COUPON_INFO)
DEADLINE_SECONDS = 60.0
EXCHANGE_SECONDS = 0.05

PASSING_TROUBLE: dict[str, tuple[Answer | Fault, type[Transient]]] = {
    "refused": (Fault(FaultKind.REFUSED), NotConnected),
    "reset": (Fault(FaultKind.RESET), ConnectionFailed),
    "time-out": (Fault(FaultKind.TIMEOUT), ConnectionFailed),
    "cut short": (Fault(FaultKind.CUT_SHORT), UnreadableAnswer),
    "not JSON": (Answer(200, {}, b"<html>"), UnreadableAnswer),
    "408": (Answer(408, {}, b""), ServiceUnavailable),
    "429": (Answer(429, {}, b""), RateLimited),
    "500": (Answer(500, {}, b"{}"), ServiceUnavailable),
    "502": (Answer(502, {}, b"<html>"), ServiceUnavailable),
    "503": (Answer(503, {}, b""), ServiceUnavailable),
}
GOOD = Answer(200, {}, b'{"id": "x"}')
REFUSED_TOKEN = Answer(401, {}, b"")


@dataclass
class Ending:
    """How a played call ended: the last verdict, those before it, and the clock."""

    verdict: Done | Failed
    repeats: list[Again]
    now: float

    @property
    def error(self) -> SyrveError:
        assert isinstance(self.verdict, Failed)
        return self.verdict.error

    @property
    def waits(self) -> list[float]:
        return [each.wait_seconds for each in self.repeats]


def config(**changes: Any) -> SyrveConfig:
    settings: dict[str, Any] = {"base_url": "https://syrve.test", "api_login": "login"}
    return SyrveConfig(**settings | {"call_deadline_seconds": DEADLINE_SECONDS} | changes)


def make_call(endpoint: Endpoint, *, backoff: Backoff | None = None, seed: int = 1, started_at: float = 1000.0) -> Call:
    return Call(endpoint, {}, config(), started_at=started_at, rng=random.Random(seed), backoff=backoff or Backoff())


def play(call: Call, outcomes: Iterable[Answer | Fault], *, started_at: float = 1000.0) -> Ending:
    """Carry a call out with a clock of its own: every exchange takes a moment, every wait its whole length."""
    now = started_at
    repeats: list[Again] = []
    for outcome in outcomes:
        now += EXCHANGE_SECONDS
        verdict: Verdict = call.decide(outcome, now)
        if not isinstance(verdict, Again):
            return Ending(verdict, repeats, now)
        repeats.append(verdict)
        now += verdict.wait_seconds
    raise AssertionError("the call wanted more answers than there were")


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


@given(seed=st.integers(), base=st.floats(0.001, 10), cap=st.floats(0.001, 100), repeats=st.integers(1, 10_000))
def test_wait_lies_between_half_and_all_of_a_step_that_doubles_up_to_the_cap(
    seed: int, base: float, cap: float, repeats: int
) -> None:
    wait = Backoff(base, cap).wait_seconds(repeats, random.Random(seed))

    step = min(cap, base * 2.0 ** min(repeats - 1, 30))
    assert step / 2 <= wait <= step


@given(seed=st.integers())
def test_waits_grow_and_stay_within_the_deadline(seed: int) -> None:
    ending = play(make_call(CUSTOMER_INFO, seed=seed), repeat(Fault(FaultKind.RESET)))

    steps = [min(15.0, 0.5 * 2.0**n) for n in range(len(ending.waits))]
    assert all(step / 2 <= wait <= step for step, wait in zip(steps, ending.waits, strict=True))
    assert all(later > earlier / 2 for earlier, later in pairwise(ending.waits))
    assert sum(ending.waits) <= DEADLINE_SECONDS


def test_waits_of_two_calls_differ_so_that_they_do_not_come_back_together() -> None:
    waits = [play(make_call(CUSTOMER_INFO, seed=seed), repeat(Fault(FaultKind.RESET))).waits for seed in (1, 2)]

    assert waits[0] != waits[1]


@pytest.mark.parametrize("status", [429, 503])
def test_wait_is_at_least_what_retry_after_asks_in_seconds(status: int) -> None:
    ending = play(make_call(CUSTOMER_INFO), [Answer(status, {"retry-after": "7"}, b""), GOOD])

    assert ending.waits == [7.0]


def test_wait_is_at_least_what_retry_after_asks_as_a_date() -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)

    ending = play(make_call(CUSTOMER_INFO), [Answer(429, {"retry-after": moment}, b""), GOOD])

    assert 15 < ending.waits[0] <= 20


@pytest.mark.parametrize("asked", ["0", "-5", "Mon, 01 Jan 2024 00:00:00 GMT"])
def test_being_asked_for_no_wait_at_all_does_not_become_a_hot_loop(asked: str) -> None:
    ending = play(make_call(CUSTOMER_INFO), repeat(Answer(429, {"retry-after": asked}, b"")))

    assert all(wait >= Backoff().base_seconds / 2 for wait in ending.waits)
    assert len(ending.waits) < 20


def test_retry_after_beyond_the_deadline_ends_the_call_at_once_and_is_told() -> None:
    ending = play(make_call(CUSTOMER_INFO), [Answer(429, {"retry-after": "3600"}, b"")])

    assert isinstance(ending.error, RateLimited)
    assert ending.error.wait_seconds == 3600.0
    assert ending.error.outlasts_call
    assert ending.repeats == []


def test_wait_that_a_new_call_could_bear_does_not_outlast_calls() -> None:
    long = Answer(429, {"retry-after": "50"}, b"")

    ending = play(make_call(CUSTOMER_INFO), [long, long])

    assert isinstance(ending.error, RateLimited)
    assert not ending.error.outlasts_call


def test_only_a_refusal_for_rate_holds_the_other_calls_back() -> None:
    ending = play(make_call(CUSTOMER_INFO), [Answer(429, {}, b""), Answer(503, {}, b""), GOOD])

    assert [each.rate_limited for each in ending.repeats] == [True, False]


NOW = datetime(2026, 1, 9, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("5", 5.0),
        (" 1.5 ", 1.5),
        ("-3", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("Fri, 09 Jan 2026 12:00:30 GMT", 30.0),
        ("Fri, 09 Jan 2026 12:00:30 -0000", 30.0),
        ("Fri, 09 Jan 2026 15:00:30 +0300", 30.0),
        ("Fri, 09 Jan 2026 11:00:00 GMT", 0.0),
        ("Fri, 32 Jan 2026 11:00:00 GMT", None),
        ("Fri, 09 Jan 99999999999999999999 11:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text: str, seconds: float | None) -> None:
    assert retry_after_seconds({"retry-after": text}, NOW) == seconds


@given(text=st.text())
def test_no_retry_after_whatever_breaks_its_reader(text: str) -> None:
    seconds = retry_after_seconds({"retry-after": text})

    assert seconds is None or seconds >= 0


OPEN_ENDS = {name: case for name, case in PASSING_TROUBLE.items() if name not in ("refused", "429")}
OPEN_ENDS["too large"] = (Fault(FaultKind.TOO_LARGE), Transient)


@pytest.mark.parametrize("trouble", OPEN_ENDS)
def test_money_whose_outcome_is_open_is_never_sent_again(trouble: str) -> None:
    outcome, _ = OPEN_ENDS[trouble]

    ending = play(make_call(HOLD), [outcome])

    assert isinstance(ending.error, OutcomeUnknown)
    assert ending.error.retry_after_seconds is None
    assert ending.error.status == (outcome.status if isinstance(outcome, Answer) else None)


def test_money_that_was_never_sent_is_a_plain_failure() -> None:
    ending = play(make_call(HOLD), [Fault(FaultKind.REFUSED)])

    assert type(ending.error) is NotConnected


@pytest.mark.parametrize("status", [400, 402, 409, 422])
def test_money_that_was_refused_is_a_plain_failure(status: int) -> None:
    ending = play(make_call(HOLD), [Answer(status, {}, b'{"errorCode": "Wallet_NotEnoughMoney"}')])

    assert type(ending.error) is MoneyRefused


def test_money_refused_for_rate_says_how_long_to_wait_and_is_not_sent_again() -> None:
    ending = play(make_call(HOLD), [Answer(429, {"retry-after": "9"}, b"")])

    assert isinstance(ending.error, RateLimited)
    assert ending.error.wait_seconds == 9.0


def test_money_with_a_refused_token_is_not_sent_again_and_certainly_did_not_move() -> None:
    ending = play(make_call(HOLD), [REFUSED_TOKEN])

    assert type(ending.error) is TokenRefused
    assert ending.repeats == []


@given(
    status=st.integers(100, 599),
    body=st.one_of(st.binary(max_size=50), st.just(b"{}"), st.just(b'"text"'), st.just(b"null")),
)
def test_money_is_sent_at_most_once_whatever_comes_back(status: int, body: bytes) -> None:
    verdict = make_call(HOLD).decide(Answer(status, {}, body), 1000.1)

    assert not isinstance(verdict, Again)


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
