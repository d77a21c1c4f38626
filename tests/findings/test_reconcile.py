"""Findings open once, change while they hold, close by themselves; days may be evaluated in any order, and again."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.books import OTHER_ORGANIZATION, START, Book, after
from syrve.findings.errors import FindingsError, MalformedRule, UnusableThresholds
from syrve.findings.rules import all_rules, parse_rule
from syrve.findings.thresholds import Limits, Thresholds

FORGET = "truncate wallet.finding, wallet.finding_version, wallet.finding_evaluation, wallet.finding_count, wallet.finding_told"
EMPTY = f"{FORGET}, wallet.operation, wallet.operation_look, wallet.operation_event, wallet.hold, wallet.unsettled_operation, "
EMPTY += "wallet.payment_order, wallet.payment_order_version"
DAYS = [after(days=day) for day in range(1, 6)]


def failed_order(book: Book, amount: str = "100.00", **fields: Any) -> str:
    """A hold that order_failed_hold_open finds from half an hour after START on."""
    order = f"o{next(book.numbers)}"
    book.order(order, "failed", START, **fields)
    return book.hold(amount=amount, order=order, **fields)


def test_finding_opens_once_and_closes_by_itself(book: Book) -> None:
    hold = failed_order(book)
    for day in DAYS[:3]:
        book.reconcile(day, run_id=f"run {day:%d}")
    book.cancel(hold, after(days=3, hours=1))
    results = [book.reconcile(day) for day in DAYS[3:]]

    finding = book.finding("order_failed_hold_open")
    assert (finding["status"], finding["first_seen_at"], finding["last_seen_at"], finding["resolved_at"]) == (
        "resolved",
        DAYS[0],
        DAYS[2],
        DAYS[3],
    )
    assert book.versions("order_failed_hold_open") == [
        (DAYS[0], "open", "opened"),
        (DAYS[3], "resolved", "closed: no longer so"),
    ]
    assert [result.closed.total() for result in results] == [1, 0]
    assert book.rows("select run_id from wallet.finding_version order by as_of")[0] == ("run 03",)


def test_counts_tell_what_is_open_and_what_opened_and_closed_since_the_moment_before(book: Book) -> None:
    first = failed_order(book)
    book.reconcile(DAYS[0])
    book.cancel(first, after(days=1, hours=1))
    failed_order(book, "20.00")
    book.run("update wallet.hold set opened_at = opened_at")  # nothing: holds are made by the ledger
    book.reconcile(DAYS[1])

    key = ("order_failed_hold_open", "high")
    one, other, nothing = Decimal("100.00"), Decimal("20.00"), Decimal(0)
    assert book.counts(DAYS[0]) == {key: (1, one, 1, one, 0, nothing)}
    assert book.counts(DAYS[1]) == {key: (1, other, 1, other, 1, one)}


def test_moment_without_findings_is_known_to_have_none(book: Book) -> None:
    assert book.reconcile(START).written == 0

    assert book.counts(START) == {}
    assert book.rows("select as_of, run_id from wallet.finding_evaluation") == [(START, "run")]


def test_same_moment_again_writes_nothing(book: Book) -> None:
    failed_order(book)
    book.reconcile(DAYS[0])
    before = book.rows("select * from wallet.finding, wallet.finding_version")

    assert book.reconcile(DAYS[0]).written == 0
    assert book.rows("select * from wallet.finding, wallet.finding_version") == before


def test_changes_are_kept_as_versions(book: Book) -> None:
    book.hold(order="7")
    book.order("7", "completed", START)
    book.charge(after(hours=1), "90.00", order="7")
    book.reconcile(after(hours=2))
    book.charge(after(hours=3), "20.00", order="7")
    book.reconcile(after(hours=4))

    assert book.versions("charge_amount_mismatch") == [
        (after(hours=2), "open", "opened"),
        (after(hours=4), "open", "severity changed"),
    ]
    assert book.finding("charge_amount_mismatch")["severity"] == "high"


def test_past_moment_leaves_the_present_as_it_is(book: Book) -> None:
    hold = failed_order(book)
    book.cancel(hold, after(days=3, hours=1))
    book.reconcile(DAYS[4])
    assert book.rows("select count(*) from wallet.finding") == [(0,)]

    book.reconcile(DAYS[1])

    finding = book.finding("order_failed_hold_open")
    assert (finding["status"], finding["resolved_at"], finding["first_seen_at"]) == ("resolved", DAYS[4], DAYS[1])
    assert (book.open_at(DAYS[1]), book.open_at(DAYS[4])) == ({("order_failed_hold_open", hold)}, set())
    assert book.counts(DAYS[4])[("order_failed_hold_open", "high")][4:] == (1, Decimal("100.00")), "closed by then"


def test_rows_that_arrive_late_change_a_day_and_a_version_says_so(book: Book) -> None:
    late, other = failed_order(book), failed_order(book, "7.00")
    for day in DAYS[:3]:
        book.reconcile(day)
    book.cancel(late, after(hours=20))

    assert book.reconcile(DAYS[1]).closed == {"order_failed_hold_open": 1}

    assert book.open_at(DAYS[1]) == {("order_failed_hold_open", other)}
    assert book.counts(DAYS[1])[("order_failed_hold_open", "high")][:2] == (1, Decimal("7.00"))
    assert len(book.open_at(DAYS[0])) == len(book.open_at(DAYS[2])) == 2, "as they were found, until evaluated again"
    assert ("closed: no longer so, by a row that arrived late",) in book.rows(
        "select reason from wallet.finding_version"
    )

    book.reconcile(DAYS[2])
    book.reconcile(DAYS[0])
    assert [len(book.open_at(day)) for day in DAYS[:3]] == [1, 1, 1]
    assert book.rows("select status from wallet.finding where hold_id = %s", late) == [("resolved",)]


def test_other_thresholds_are_told_from_rows_that_arrived_late(book: Book) -> None:
    failed_order(book)
    book.reconcile(DAYS[0])
    book.reconcile(DAYS[0], thresholds=Thresholds(Limits(settle_grace_seconds=1e6)))

    assert book.versions("order_failed_hold_open")[-1][2] == "closed: no longer so, by other thresholds"


def test_acknowledged_finding_stays_acknowledged_until_it_closes(book: Book) -> None:
    hold = failed_order(book)
    book.reconcile(DAYS[0])
    book.run("update wallet.finding set status = 'acknowledged'")
    book.reconcile(DAYS[1])

    assert book.finding("order_failed_hold_open")["status"] == "acknowledged"
    assert book.versions("order_failed_hold_open") == [
        (DAYS[0], "open", "opened"),
        (DAYS[0], "acknowledged", "set by hand"),
    ]
    assert book.counts(DAYS[1])[("order_failed_hold_open", "high")][:1] == (1,)

    book.cancel(hold, after(days=2, hours=1))
    book.reconcile(DAYS[2])
    assert book.finding("order_failed_hold_open")["status"] == "resolved"


def release(book: Book, at: datetime) -> None:
    """As release does it: status, time and version in one transaction."""
    with book.connection, book.connection.cursor() as cursor:
        cursor.execute("update wallet.finding set status = 'released', resolved_at = %s returning finding_id", (at,))
        cursor.execute(
            "insert into wallet.finding_version (finding_id, version, as_of, status, severity, amount_at_risk, reason) "
            "select finding_id, 2, %s, status, severity, amount_at_risk, 'released' from wallet.finding",
            (at,),
        )


def test_released_finding_opens_again_only_if_it_holds_as_of_a_later_moment(book: Book) -> None:
    failed_order(book)
    book.reconcile(DAYS[0])
    release(book, after(days=1, hours=1))

    book.reconcile(after(days=1, minutes=30))
    assert book.finding("order_failed_hold_open")["status"] == "released", "that moment was before the release"

    book.reconcile(DAYS[1])
    assert book.finding("order_failed_hold_open")["status"] == "open"
    assert book.versions("order_failed_hold_open")[-1] == (
        DAYS[1],
        "open",
        "opened again: it holds although it was released",
    )


def test_released_finding_that_no_longer_holds_stays_released(book: Book) -> None:
    hold = failed_order(book)
    book.reconcile(DAYS[0])
    release(book, after(days=1, hours=1))
    book.cancel(hold, after(days=1, hours=1))
    book.reconcile(DAYS[1])

    finding = book.finding("order_failed_hold_open")
    assert (finding["status"], finding["resolved_at"]) == ("released", after(days=1, hours=1))
    assert len(book.versions("order_failed_hold_open")) == 2
    assert book.counts(DAYS[1])[("order_failed_hold_open", "high")][4] == 1


def test_organizations_have_thresholds_of_their_own(book: Book) -> None:
    failed_order(book)
    failed_order(book, organization=OTHER_ORGANIZATION)
    thresholds = Thresholds.read({OTHER_ORGANIZATION.upper(): {"rules_off": ["order_failed_hold_open"]}})

    result = book.reconcile(
        DAYS[0],
        *(str(org) for (org,) in book.rows("select distinct organization_id from wallet.hold")),
        thresholds=thresholds,
    )

    assert result.open == {"order_failed_hold_open": 1}


def test_broken_rule_is_named_and_harms_nothing(book: Book) -> None:
    failed_order(book)
    book.reconcile(DAYS[0])
    head = "-- rule: broken\n-- meaning: m\n-- severity: low\n-- what to do: nothing\n"
    good = "where %(as_of)s::timestamptz is not null and %(organization_id)s::uuid is not null"
    columns = "organization_id, customer_id, wallet_id, hold_id, amount as amount_at_risk, 'low' as severity, '{}'::jsonb as evidence"
    for query, said in (
        (f"select no_such_column from wallet.hold {good}", "can't be evaluated"),
        (
            f"select 'same' as subject, {columns} from wallet.hold, (values (1), (2)) as twice {good}",
            "gives a subject twice",
        ),
        (
            f"select hold_id::text as subject, {columns.replace('low', 'dire')} from wallet.hold {good}",
            "can't be evaluated",
        ),
    ):
        rule = parse_rule("broken", head + query)
        with pytest.raises(MalformedRule, match=said):
            book.reconcile(DAYS[1], rules=[*all_rules(), rule])

    assert book.rows("select as_of from wallet.finding_evaluation") == [(DAYS[0],)]


def test_moment_needs_a_time_zone_and_rules_that_are_off_must_exist(book: Book) -> None:
    with pytest.raises(FindingsError, match="time zone"):
        book.reconcile(START.replace(tzinfo=None))
    with pytest.raises(UnusableThresholds, match="no rule 'stale'"):
        book.reconcile(START, thresholds=Thresholds.read({"default": {"rules_off": ["stale"]}}))


ACTIONS = st.lists(
    st.tuples(
        st.integers(0, 5 * 24 * 4 - 1).flatmap(
            lambda quarter: st.sampled_from([quarter, quarter // 96 * 96])
        ),  # of an hour
        st.sampled_from([0, 10, 40]),  # seconds
        st.sampled_from(
            ["hold", "hold", "lost hold", "cancel", "lost cancel", "charge", "own charge", "consume", "order", "settle"]
        ),
        st.integers(0, 3),
        st.sampled_from(["100.00", "50.00"]),
        st.sampled_from(["completed", "failed", "open"]),
    ),
    max_size=14,
).map(lambda found: sorted(found))


def happened_at(action: tuple[Any, ...]) -> datetime:
    return START + timedelta(minutes=15 * action[0], seconds=action[1])


def act(
    book: Book, holds: list[str], lost: list[str], ended: set[str], action: tuple[int, int, str, int, str, str]
) -> None:
    """Write what an action means, as long as the ledger lets it happen."""
    _, _, kind, which, amount, state = action
    at = happened_at(action)
    order = f"o{which}"
    if kind in ("hold", "lost hold"):
        holds.append(
            book.hold(at, amount, order=order if which else None, state="confirmed" if kind == "hold" else "unknown")
        )
        lost += holds[-1:] if kind == "lost hold" else []
    elif kind == "order":
        book.order(order, state, at)
    elif kind == "charge":
        book.charge(at, amount, order=order if which > 1 else None)
    elif kind == "settle" and lost:
        settled = lost.pop()  # what was ended was made: to reject it now would contradict that
        book.event(settled, "rejected" if state == "failed" and settled not in ended else "confirmed", at)
    elif holds:
        hold = holds[which % len(holds)]
        ended.add(hold)
        if kind in ("cancel", "lost cancel"):
            operation = book.cancel(hold, at, state="confirmed" if kind == "cancel" else "unknown")
            lost += [operation] if kind == "lost cancel" else []
        elif kind == "own charge":
            book.charge(at, amount, hold_id=hold)
        elif kind == "consume":
            book.charge(at, amount, hold_id=hold, consumes=True)


def figures(book: Book) -> Any:
    """Everything that the days say, without ids."""
    counts = [book.counts(day) for day in DAYS]
    columns = "rule, subject, severity, amount_at_risk, evidence, first_seen_at, status"
    rows = [
        book.rows(
            f"select {columns} from wallet.finding_as_of(%s) where status in ('open', 'acknowledged') order by rule, subject",
            day,
        )
        for day in DAYS
    ]
    present = book.rows(f"select {columns}, last_seen_at from wallet.finding order by rule, subject")
    return counts, rows, present


def test_past_day_stays_as_it_was_where_a_hold_is_told_to_be_over_and_later_to_have_been_refused(book: Book) -> None:
    hold = book.hold(state="sent")
    book.cancel(hold, after(hours=1))
    assert book.found(after(minutes=30)) == {("hold_outcome_unknown", hold)}
    assert book.found(DAYS[1]) == set()
    book.event(hold, "rejected", DAYS[2])
    book.run(FORGET)

    assert book.found(after(minutes=30)) == {("hold_outcome_unknown", hold)}
    assert book.found(DAYS[1]) == set()
    query = "select closed_by, closed_at from wallet.hold where hold_id = %s"
    assert book.rows(query, hold) == [("cancelled", after(hours=1))]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    actions=ACTIONS,
    order=st.permutations(range(len(DAYS))),
    again=st.lists(st.sampled_from(range(len(DAYS))), max_size=2),
)
def test_days_say_the_same_in_whatever_order_and_whenever_they_are_worked_out(
    book: Book, actions: list[Any], order: list[int], again: list[int]
) -> None:
    book.run(EMPTY)
    holds: list[str] = []
    lost: list[str] = []
    ended: set[str] = set()
    left = list(actions)
    for day in DAYS:  # as it goes: the ledger knows nothing of later days yet
        while left and happened_at(left[0]) <= day:
            act(book, holds, lost, ended, left.pop(0))
        book.reconcile(day)
    as_it_went = figures(book)

    book.run(FORGET)
    for place in (*order, *again):
        book.reconcile(DAYS[place])

    assert figures(book) == as_it_went
