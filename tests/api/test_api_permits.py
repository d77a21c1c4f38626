"""Permits at hand: none is used before its moment, none long after it, none twice."""

from hypothesis import given
from hypothesis import strategies as st

from syrve.api.permits import STALE_AFTER_SECONDS, PermitLine
from syrve.grants import Grant

GRANTS = st.builds(Grant, st.integers(0, 5), st.floats(0, 3), st.floats(0, 1))


def test_permit_that_is_due_is_taken_and_one_that_is_not_stays() -> None:
    line = PermitLine()
    line.add(Grant(2, wait_seconds=0.0, spacing_seconds=0.5), now=100.0)

    assert [line.take_due(100.0), line.take_due(100.0)] == [True, False]
    assert line.next_moment(100.0) == 100.5


def test_permit_that_nobody_used_in_time_is_not_taken_nor_the_next_before_its_moment() -> None:
    line = PermitLine()
    line.add(Grant(2, wait_seconds=0.0, spacing_seconds=1.5), now=100.0)

    assert not line.take_due(101.25)
    assert line.take_due(101.5)
    assert not line.take_due(500.0)


@given(grant=GRANTS, steps=st.lists(st.floats(0, 1), max_size=20))
def test_permits_are_taken_in_their_order_each_once_and_in_its_time(grant: Grant, steps: list[float]) -> None:
    line = PermitLine()
    line.add(grant, now := 100.0)
    moments = [now + grant.wait_seconds + index * grant.spacing_seconds for index in range(grant.count)]

    for seconds in steps:
        now += seconds
        moments = [moment for moment in moments if moment > now - STALE_AFTER_SECONDS]
        is_due = bool(moments) and moments[0] <= now

        assert line.take_due(now) == is_due
        moments = moments[is_due:]
