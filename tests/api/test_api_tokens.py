"""How long an access token is kept, and what is taken for one."""

import base64
import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from syrve.api.errors import MalformedAnswer
from syrve.api.tokens import MAX_TOKENS_REFUSED_UNUSED, RENEWAL_MARGIN_SECONDS, RENEWAL_STEP_SECONDS, TokenKeeper

HOUR = 3600.0
MOMENT = datetime(2026, 1, 9, 12, 0, tzinfo=UTC)


def jwt(claims: Any) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256'})}.{part(claims)}.c2lnbmF0dXJl"


def good_for_seconds(keeper: TokenKeeper) -> float:
    """How long from time 0 the keeper still gives its token, to the second."""
    return float(next(second for second in range(100_000) if keeper.current(float(second)) is None))


def test_keeper_has_no_token_at_first() -> None:
    assert TokenKeeper(HOUR).current(0.0) is None


def test_token_is_replaced_two_minutes_before_it_expires() -> None:
    keeper = TokenKeeper(HOUR)

    assert keeper.keep({"token": "one"}, now=0.0) == "one"

    assert keeper.current(HOUR - RENEWAL_MARGIN_SECONDS - 0.1) == "one"
    assert keeper.current(HOUR - RENEWAL_MARGIN_SECONDS) is None


def test_short_lived_token_is_replaced_after_three_quarters_of_its_life() -> None:
    keeper = TokenKeeper(40.0)
    keeper.keep({"token": "one"}, now=0.0)

    assert good_for_seconds(keeper) == 30.0


@time_machine.travel(MOMENT, tick=False)
def test_end_that_a_jwt_names_is_honoured_where_it_comes_sooner() -> None:
    keeper = TokenKeeper(HOUR)
    keeper.keep({"token": jwt({"exp": MOMENT.timestamp() + 400})}, now=0.0)

    assert good_for_seconds(keeper) == 300.0


@time_machine.travel(MOMENT, tick=False)
def test_end_that_a_jwt_names_never_makes_a_token_last_longer_than_set() -> None:
    keeper = TokenKeeper(1000.0)
    keeper.keep({"token": jwt({"exp": MOMENT.timestamp() + 86_400})}, now=0.0)

    assert good_for_seconds(keeper) == 1000.0 - RENEWAL_MARGIN_SECONDS


@time_machine.travel(MOMENT, tick=False)
def test_jwt_that_has_expired_is_used_for_a_moment_only() -> None:
    keeper = TokenKeeper(HOUR)
    keeper.keep({"token": jwt({"exp": MOMENT.timestamp() - 10})}, now=0.0)

    assert keeper.current(0.5) is not None
    assert keeper.current(1.0) is None


@pytest.mark.parametrize(
    "claims", [{}, [], None, {"exp": "soon"}, {"exp": None}, {"exp": [1]}, {"exp": 10**400}, {"exp": float("nan")}]
)
def test_claims_without_a_usable_end_leave_a_token_usable(claims: Any) -> None:
    keeper = TokenKeeper(HOUR)

    keeper.keep({"token": jwt(claims)}, now=0.0)

    assert keeper.current(0.1) is not None


@given(parts=st.lists(st.from_regex(r"[\x21-\x7e]{0,40}", fullmatch=True), min_size=3, max_size=3))
def test_no_token_of_three_parts_whatever_breaks_the_keeper(parts: list[str]) -> None:
    token = ".".join(parts)

    assert TokenKeeper(HOUR).keep({"token": token}, now=0.0) == token


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "token",
        {},
        {"token": None},
        {"token": ""},
        {"token": 7},
        {"token": ["one"]},
        {"token": "one two"},
        {"token": "one\r\nX-Other: two"},
        {"token": "жетон"},
        {"token": "\x00"},
    ],
    ids=repr,
)
def test_answer_without_a_token_that_fits_a_header_is_malformed(answer: Any) -> None:
    keeper = TokenKeeper(HOUR)

    with pytest.raises(MalformedAnswer) as caught:
        keeper.keep(answer, now=0.0)

    assert caught.value.operation == "access_token"
    assert str(caught.value) == "access_token: the answer has no usable token"
    assert keeper.current(0.0) is None


def test_refused_token_is_dropped() -> None:
    keeper = TokenKeeper(HOUR)
    keeper.keep({"token": "one"}, now=0.0)

    keeper.drop("one")

    assert keeper.current(0.0) is None


def test_token_that_has_been_replaced_meanwhile_is_not_dropped_for_the_old_one() -> None:
    keeper = TokenKeeper(HOUR)
    keeper.keep({"token": "two"}, now=0.0)

    keeper.drop("one")

    assert keeper.current(0.0) == "two"


def spent(keeper: TokenKeeper, number: int, *, accepted: bool, now: float = 0.0) -> None:
    """Take a token, use it or not, and learn that it is refused."""
    token = keeper.keep({"token": f"token-{number}"}, now)
    if accepted:
        keeper.accept(token)
    keeper.drop(token)


def test_tokens_that_were_accepted_once_are_never_the_end() -> None:
    keeper = TokenKeeper(HOUR)

    for number in range(50):
        spent(keeper, number, accepted=True)

    assert keeper.refusal("customer_info") is None


def test_tokens_that_no_call_was_accepted_with_are_the_end() -> None:
    keeper = TokenKeeper(HOUR)
    spent(keeper, 0, accepted=True)
    for number in range(1, MAX_TOKENS_REFUSED_UNUSED + 1):
        assert keeper.refusal("customer_info") is None
        spent(keeper, number, accepted=False)

    refusal = keeper.refusal("customer_info")

    assert refusal is not None
    assert refusal.operation == "customer_info"
    assert "token-" not in str(refusal)


def test_token_that_was_replaced_is_no_news_when_refused() -> None:
    keeper = TokenKeeper(HOUR)
    keeper.keep({"token": "new"}, 0.0)

    for _ in range(2 * MAX_TOKENS_REFUSED_UNUSED):
        keeper.drop("old")

    assert keeper.current(1.0) == "new"
    assert keeper.refusal("customer_info") is None


@given(seed=st.integers(), exchange_seconds=st.floats(0.0, 0.2))
def test_renewals_are_bounded_by_rate(seed: int, exchange_seconds: float) -> None:
    keeper = TokenKeeper(HOUR, rng=random.Random(seed))
    now = 0.0
    renewals: list[float] = []
    while now < 600.0:
        now += keeper.renewal_wait_seconds(now) + exchange_seconds
        spent(keeper, len(renewals), accepted=True, now=now)
        renewals.append(now)

    assert all(len([each for each in renewals if end - 60 < each <= end]) <= 45 for end in renewals)
    assert renewals[1] - renewals[0] <= RENEWAL_STEP_SECONDS + exchange_seconds


def test_token_that_grew_old_is_replaced_at_once() -> None:
    keeper = TokenKeeper(HOUR)
    keeper.keep({"token": "one"}, 0.0)

    assert keeper.renewal_wait_seconds(5.0) == 0.0
