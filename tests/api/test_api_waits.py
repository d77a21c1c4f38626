"""How long a call waits before it is repeated: doubling steps with jitter, Retry-After, and the deadline."""

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.played_calls import DEADLINE_SECONDS, GOOD, make_call, play
from syrve.api.endpoints import CUSTOMER_INFO
from syrve.api.errors import RateLimited
from syrve.api.protocol import Answer, Backoff, Fault, FaultKind
from syrve.api.reading import retry_after_seconds


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
        ("Fri, 09 Jan 2099 11:00:00 GMT", None),
        ("Fri, 32 Jan 2026 11:00:00 GMT", None),
        ("Fri, 09 Jan 99999999999999999999 11:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text: str, seconds: float | None) -> None:
    assert retry_after_seconds({"retry-after": text}, NOW) == seconds


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Sat, 10 Jan 2026 12:00:00 GMT", 30.0),
        ("Thu, 08 Jan 2026 12:00:00 GMT", 30.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("not a date", 86430.0),
        ("", 86430.0),
    ],
)
def test_date_to_retry_after_is_of_the_service_clock(date: str, seconds: float | None) -> None:
    """A service whose clock is a day off asks for half a minute, not for a day; one that says 1970 asks for nothing that makes sense."""
    asked = "Thu, 08 Jan 2026 12:00:30 GMT" if date.startswith("Thu, 08") else "Sat, 10 Jan 2026 12:00:30 GMT"

    assert retry_after_seconds({"retry-after": asked, "date": date}, NOW) == seconds


@given(text=st.text(), date=st.text())
def test_no_retry_after_whatever_breaks_its_reader(text: str, date: str) -> None:
    seconds = retry_after_seconds({"retry-after": text, "date": date})

    assert seconds is None or seconds >= 0
