"""Coupons on the watch list, on a real Postgres and a real HTTP service."""

from datetime import UTC, datetime

import pytest

from fixtures.coupons import Couponing, series
from syrve.api.errors import LoyaltyNotConfigured, ServiceUnavailable, Transient
from syrve.coupons.pull import MAX_FAILURES_IN_A_ROW, NO_SERIES, CouponsIncomplete
from syrve.coupons.verdict import validate_coupon
from syrve_simulator.control import RawAnswer


def known_coupons(coupons: Couponing) -> dict[str, str]:
    """One number for each verdict that the simulator can give, by verdict."""
    found = {"unknown": "NOBODY-KNOWS"}
    for each in coupons.simulator.control.coupons(coupons.organization_id):
        is_past = each["not_after"] is not None and each["not_after"] < "2025"
        found.setdefault("used" if each["is_used"] else "expired" if is_past else "valid", each["number"])
    return found


def test_watched_coupons_get_their_verdict(coupons: Couponing) -> None:
    by_verdict = known_coupons(coupons)
    assert set(by_verdict) == {"valid", "used", "expired", "unknown"}
    coupons.watch(list(by_verdict.values()))

    counts = coupons.pull_coupons()

    assert coupons.verdicts == {number: verdict for verdict, number in by_verdict.items()}
    assert (counts.requested, counts.found, counts.not_found) == (3 + 4, 3 + 3, 1)
    assert coupons.value("select series_id::text from syrve.coupon where verdict = 'unknown'") == NO_SERIES
    query = "select activated_at is not null, activated_by is not null, series_name is not null from syrve.coupon where verdict = 'used'"
    assert coupons.rows(query) == [(True, True, True)]


def test_watched_coupon_that_did_not_change_writes_no_row(coupons: Couponing) -> None:
    coupons.watch(list(known_coupons(coupons).values()))
    coupons.pull_coupons()
    before = coupons.rows("select xmin::text, ctid::text from syrve.coupon order by 2")

    counts = coupons.pull_coupons()

    assert coupons.rows("select xmin::text, ctid::text from syrve.coupon order by 2") == before
    assert (counts.changed, counts.unchanged) == (0, 3 + 4)


def test_watch_list_of_one_organization_is_not_asked_of_another(coupons: Couponing) -> None:
    number = known_coupons(coupons)["valid"]
    coupons.watch([number], coupons.other_organization_id)

    coupons.pull_coupons()
    assert coupons.verdicts == {}

    coupons.pull_coupons(coupons.other_organization_id)
    query = "select organization_id::text, verdict from syrve.coupon"
    assert coupons.rows(query) == [(coupons.other_organization_id, "unknown")]


def test_coupon_that_appears_and_vanishes_has_one_verdict_at_a_time(coupons: Couponing) -> None:
    coupons.watch(["SOON"])
    coupons.pull_coupons()
    assert coupons.verdicts == {"SOON": "unknown"}

    found = {"id": series(1)["id"], "number": "SOON", "seriesId": series(2)["id"], "isUsed": False}
    coupons.answer_coupon("SOON", {"couponInfo": found})
    assert coupons.pull_coupons().changed == 1
    assert coupons.verdicts == {"SOON": "valid"}

    coupons.answer_coupon("SOON", {"couponInfo": None})
    assert coupons.pull_coupons().changed == 1
    assert coupons.verdicts == {"SOON": "unknown"}


def test_number_that_several_series_share_lands_once_a_series(coupons: Couponing) -> None:
    coupons.watch(["TWICE"])
    found = [{"id": series(n)["id"], "number": "TWICE", "seriesId": series(n)["id"], "isUsed": n == 1} for n in (1, 2)]
    coupons.answer_coupon("TWICE", {"couponInfo": found})

    coupons.pull_coupons()

    assert coupons.rows("select number, verdict from syrve.coupon order by verdict") == [
        ("TWICE", "used"),
        ("TWICE", "valid"),
    ]


def test_coupon_without_a_usable_answer_is_a_reject_and_stops_no_other(coupons: Couponing) -> None:
    valid = known_coupons(coupons)["valid"]
    coupons.watch(["ODD", valid])
    coupons.answer_coupon("ODD", {"couponInfo": {"isUsed": False}})

    counts = coupons.pull_coupons()

    assert (counts.rejected, coupons.verdicts) == (1, {valid: "valid"})
    query = "select entity, identity, stage, reason, resolved_at is null from sync.reject"
    assert coupons.rows(query) == [("coupon", "ODD", "look_up", "couponInfo.number is missing", True)]

    coupons.simulator.control.clear_raw_answers()
    coupons.pull_coupons()
    assert coupons.verdicts == {valid: "valid", "ODD": "unknown"}
    assert coupons.value("select resolved_at is not null from sync.reject")


def test_outage_between_series_and_coupons_keeps_the_series(coupons: Couponing) -> None:
    coupons.watch(["ANY"])
    coupons.simulator.control.set_faults([{"operation": "coupon_info", "fault": "status", "status": 500}])

    with pytest.raises(Transient):
        coupons.pull_coupons(call_deadline_seconds=0.2)

    assert len(coupons.offered) == 3
    assert coupons.verdicts == {}


def test_counts_of_the_run_are_kept_with_their_calls(coupons: Couponing) -> None:
    coupons.watch([known_coupons(coupons)["valid"]])

    coupons.pull_coupons()

    columns = "requested, found, not_found, changed, unchanged, rejected, calls, retries"
    assert coupons.rows(f"select {columns} from sync.run where task = 'coupons'") == [(4, 4, 0, 4, 0, 0, 3, 0)]


def test_coupon_that_always_fails_blocks_no_other(coupons: Couponing) -> None:
    numbers = [f"C{number:03d}" for number in range(20)]
    coupons.watch(numbers)
    coupons.simulator.control.put_raw_answers([RawAnswer(coupons.organization_id, "C010", b"oops", 500, "coupon_info")])

    counts = coupons.pull_coupons(call_deadline_seconds=0.2)

    assert (counts.failed, counts.rejected) == (1, 0)
    assert set(coupons.verdicts) == set(numbers) - {"C010"}
    query = "select entity, identity, stage, reason, resolved_at is null from sync.reject"
    assert coupons.rows(query) == [("coupon", "C010", "look_up", "Syrve cannot answer now", True)]
    coupons.simulator.control.clear_raw_answers()
    coupons.pull_coupons()
    assert coupons.value("select resolved_at is not null from sync.reject")
    assert len(coupons.verdicts) == 20


def test_several_coupons_without_an_answer_fail_the_pull(coupons: Couponing) -> None:
    numbers = [f"C{number:03d}" for number in range(20)]
    coupons.watch(numbers)
    failing = [RawAnswer(coupons.organization_id, each, b"oops", 500, "coupon_info") for each in numbers[::7]]
    coupons.simulator.control.put_raw_answers(failing)

    with pytest.raises(CouponsIncomplete, match="3 of 20"):
        coupons.pull_coupons(call_deadline_seconds=0.2)

    assert len(coupons.verdicts) == 17


def test_outage_ends_after_a_few_coupons_and_keeps_the_rest(coupons: Couponing) -> None:
    coupons.watch([f"C{number:03d}" for number in range(60)])
    coupons.simulator.control.set_faults([{"operation": "coupon_info", "fault": "status", "status": 503, "after": 52}])

    with pytest.raises(ServiceUnavailable):
        coupons.pull_coupons(call_deadline_seconds=0.2)

    assert len(coupons.verdicts) == 52
    assert coupons.value("select count(*) from sync.reject") == MAX_FAILURES_IN_A_ROW


UNREADABLE: dict[str, dict[str, object]] = {
    "last day": {"isUsed": False, "notAfterDateBecomesApplied": "2024-12-32T23:59:59"},
    "use": {"isUsed": "ja"},
    "time of use": {"whenActivated": "2024-13-01"},
    "withdrawal": {"isUsed": False, "isDeleted": "vielleicht"},
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_coupon_that_cannot_be_read_in_full_is_no_valid_one(coupons: Couponing, name: str) -> None:
    coupons.watch(["BAD"])
    body = {"id": series(1)["id"], "number": "BAD", "seriesId": series(1)["id"], "seriesName": "S"}
    coupons.answer_coupon("BAD", {"couponInfo": body | UNREADABLE[name]})

    counts = coupons.pull_coupons()

    assert coupons.verdicts == {"BAD": "unknown"}
    assert counts.cleaned == 1
    ((entity, identity, stage),) = coupons.rows("select entity, identity, stage from sync.reject")
    assert (entity, identity, stage) == ("coupon", "BAD", "field")
    with coupons.client() as client:
        judged = validate_coupon(client, coupons.organization_id, "BAD", now=datetime.now(UTC))
    assert (judged.verdict, judged.reason) == ("unknown", "what Syrve answers about the coupon cannot be read in full")

    coupons.answer_coupon("BAD", {"couponInfo": body | {"isUsed": False}})
    coupons.pull_coupons()
    assert coupons.verdicts == {"BAD": "valid"}
    assert coupons.value("select count(*) from sync.reject where resolved_at is null") == 0


def test_used_coupon_stays_used_whatever_else_is_unreadable(coupons: Couponing) -> None:
    coupons.watch(["BAD"])
    body = {"id": series(1)["id"], "number": "BAD", "isUsed": True, "notAfterDateBecomesApplied": "soon"}
    coupons.answer_coupon("BAD", {"couponInfo": body})

    coupons.pull_coupons()

    assert coupons.verdicts == {"BAD": "used"}


def test_organization_without_loyalty_is_no_reject_of_a_coupon(coupons: Couponing) -> None:
    coupons.watch(["ANY"])
    off = {"fault": "status", "status": 400, "body": {"code": "Transport_WrongCrmId"}}
    coupons.simulator.control.set_faults([{"operation": "coupon_info"} | off])

    with pytest.raises(LoyaltyNotConfigured):
        coupons.pull_coupons()

    assert coupons.value("select count(*) from sync.reject") == 0
