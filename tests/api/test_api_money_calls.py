"""A money call is sent at most once; what its answer leaves open is told as unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.played_calls import PASSING_TROUBLE, REFUSED_TOKEN, make_call, play
from syrve.api.endpoints import WALLET_HOLD
from syrve.api.errors import MoneyRefused, NotConnected, OutcomeUnknown, RateLimited, TokenRefused, Transient
from syrve.api.protocol import Again, Answer, Fault, FaultKind

OPEN_ENDS = {name: case for name, case in PASSING_TROUBLE.items() if name not in ("refused", "429")}
OPEN_ENDS["too large"] = (Fault(FaultKind.TOO_LARGE), Transient)


@pytest.mark.parametrize("trouble", OPEN_ENDS)
def test_money_whose_outcome_is_open_is_never_sent_again(trouble: str) -> None:
    outcome, _ = OPEN_ENDS[trouble]

    ending = play(make_call(WALLET_HOLD), [outcome])

    assert isinstance(ending.error, OutcomeUnknown)
    assert ending.error.retry_after_seconds is None
    assert ending.error.status == (outcome.status if isinstance(outcome, Answer) else None)


def test_money_that_was_never_sent_is_a_plain_failure() -> None:
    ending = play(make_call(WALLET_HOLD), [Fault(FaultKind.REFUSED)])

    assert type(ending.error) is NotConnected


@pytest.mark.parametrize("status", [400, 402, 409, 422])
def test_money_that_was_refused_is_a_plain_failure(status: int) -> None:
    ending = play(make_call(WALLET_HOLD), [Answer(status, {}, b'{"errorCode": "Wallet_NotEnoughMoney"}')])

    assert type(ending.error) is MoneyRefused


def test_money_refused_for_rate_says_how_long_to_wait_and_is_not_sent_again() -> None:
    ending = play(make_call(WALLET_HOLD), [Answer(429, {"retry-after": "9"}, b"")])

    assert isinstance(ending.error, RateLimited)
    assert ending.error.wait_seconds == 9.0


def test_money_with_a_refused_token_is_not_sent_again_and_certainly_did_not_move() -> None:
    ending = play(make_call(WALLET_HOLD), [REFUSED_TOKEN])

    assert type(ending.error) is TokenRefused
    assert ending.repeats == []


@given(
    status=st.integers(100, 599),
    body=st.one_of(st.binary(max_size=50), st.just(b"{}"), st.just(b'"text"'), st.just(b"null")),
)
def test_money_is_sent_at_most_once_whatever_comes_back(status: int, body: bytes) -> None:
    verdict = make_call(WALLET_HOLD).decide(Answer(status, {}, body), 1000.1)

    assert not isinstance(verdict, Again)
