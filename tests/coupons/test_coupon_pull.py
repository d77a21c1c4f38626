"""Coupon series and watched coupons, on a real Postgres and a real HTTP service."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from fixtures.pulls import IMPATIENT, Syncing
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.api.errors import LoyaltyNotConfigured, MalformedAnswer, PermissionDenied, SyrveError, Transient
from syrve.coupons.pull import NO_SERIES, CouponPull
from syrve.warehouse.database import Warehouse
from syrve.warehouse.runs import Counts
from syrve_simulator.control import RawAnswer
from syrve_simulator.process import SimulatorProcess, start_simulator

Versions = Callable[[], dict[str, list[Any]]]


def series(number: int, **changes: object) -> dict[str, object]:
    return {
        "id": f"5f4e0006-0000-4000-8000-{number:012d}",
        "name": f"Серия {number}",
        "isActivated": True,
        "discountType": "Percent",
        "discountValue": "12.5",
    } | changes


class Couponing(Syncing):
    """Pulls the coupons of one organization, or of another."""

    @property
    def other_organization_id(self) -> str:
        return self.simulator.control.organizations()[1]["organization_id"]

    def offer(self, *listed: Mapping[str, object], organization_id: str | None = None) -> None:
        self.simulator.control.put_coupon_series(organization_id or self.organization_id, listed)

    def watch(self, numbers: Sequence[str], organization_id: str | None = None) -> None:
        for number in numbers:
            self.execute(
                "insert into sync.coupon_watch (organization_id, number, source) values (%s, %s, 'test')",
                organization_id or self.organization_id,
                number,
            )

    def pull_coupons(self, organization_id: str | None = None, **settings: Any) -> Counts:
        with SyrveClient(replace(self.config, **settings), backoff=IMPATIENT) as client:
            return CouponPull(self.warehouse, client, key=self.key("coupons")).run(
                organization_id or self.organization_id
            )

    def answer_coupon(self, number: str, body: Any, status: int = 200) -> None:
        raw = RawAnswer(self.organization_id, number, json.dumps(body).encode(), status, "coupon_info")
        self.simulator.control.put_raw_answers([raw])

    @property
    def offered(self) -> set[str]:
        return {name for (name,) in self.rows("select name from syrve.coupon_series where gone_at is null")}

    @property
    def verdicts(self) -> dict[str, str]:
        found = self.rows("select number, verdict from syrve.coupon")
        assert len({number for number, _ in found}) == len(found)
        return dict(found)


@pytest.fixture(scope="module")
def own_simulator() -> Iterator[SimulatorProcess]:
    """A simulator of this module's own: the series that it is made to list stay."""
    with start_simulator(customers=10, seed=7) as process:
        yield process


@pytest.fixture
def coupons(own_simulator: SimulatorProcess, warehouse: Warehouse) -> Couponing:
    own_simulator.control.clear_faults()
    own_simulator.control.clear_raw_answers()
    own_simulator.control.set_switches(removed_rights=[], organizations_without_loyalty=[])
    found = Couponing(own_simulator, warehouse, SyrveConfig(base_url=own_simulator.url, api_login="demo-login"))
    found.offer(series(1), series(2), series(3))
    return found


def test_series_land_exactly_as_listed(coupons: Couponing) -> None:
    coupons.offer(
        series(1, discountValue="99.90"), series(2, discountType="Fixed", discountValue="0", isActivated=False)
    )

    counts = coupons.pull_coupons()

    columns = "name, is_activated, discount_type, discount_value, gone_at, first_seen_at = changed_at"
    assert coupons.rows(f"select {columns} from syrve.coupon_series order by name") == [
        ("Серия 1", True, "Percent", Decimal("99.90"), None, True),
        ("Серия 2", False, "Fixed", Decimal(0), None, True),
    ]
    assert (counts.requested, counts.found, counts.changed, counts.unchanged) == (2, 2, 2, 0)


def test_second_run_changes_no_row(coupons: Couponing, row_versions: Versions) -> None:
    coupons.pull_coupons()
    before = row_versions()

    counts = coupons.pull_coupons()

    assert row_versions() == before
    assert (counts.changed, counts.unchanged) == (0, 3)


def test_changed_discount_writes_that_series_only(coupons: Couponing, row_versions: Versions) -> None:
    coupons.pull_coupons()
    before = row_versions()["coupon_series"]
    coupons.offer(series(1), series(2, discountValue="15"), series(3))

    counts = coupons.pull_coupons()

    assert (counts.changed, counts.unchanged) == (1, 2)
    assert len(set(row_versions()["coupon_series"]) - set(before)) == 1
    query = "select name, discount_value, changed_at > first_seen_at from syrve.coupon_series where changed_at = last_seen_at"
    assert ("Серия 2", Decimal(15), True) in coupons.rows(query)


def test_a_discount_written_with_more_zeros_is_no_change(coupons: Couponing) -> None:
    coupons.pull_coupons()
    coupons.offer(series(1, discountValue="12.50"), series(2), series(3))

    assert coupons.pull_coupons().changed == 0


def test_series_that_a_complete_listing_lacks_is_gone_and_opens_again_when_it_returns(coupons: Couponing) -> None:
    coupons.pull_coupons()
    first_seen_at = coupons.value("select first_seen_at from syrve.coupon_series where name = 'Серия 2'")
    coupons.offer(series(1), series(3))

    assert coupons.pull_coupons().changed == 1
    assert coupons.offered == {"Серия 1", "Серия 3"}
    assert coupons.rows("select gone_at = changed_at from syrve.coupon_series where name = 'Серия 2'") == [(True,)]
    assert coupons.pull_coupons().changed == 0, "it is gone once"

    coupons.offer(series(1), series(2), series(3))
    assert coupons.pull_coupons().changed == 1
    assert coupons.offered == {"Серия 1", "Серия 2", "Серия 3"}
    query = "select first_seen_at, changed_at > first_seen_at from syrve.coupon_series where name = 'Серия 2'"
    assert coupons.rows(query) == [(first_seen_at, True)]


def test_empty_complete_listing_retires_all(coupons: Couponing) -> None:
    coupons.pull_coupons()
    coupons.offer()

    counts = coupons.pull_coupons()

    assert (counts.requested, counts.changed) == (0, 3)
    assert coupons.offered == set()


LISTED = {"correlationId": "5f4e0006-0000-4000-8000-0000000000ff"}
UNUSABLE_LISTINGS: dict[str, tuple[dict[str, object], type[SyrveError]]] = {
    "refused": ({"fault": "status", "status": 400, "body": {"error": "Bad"}}, SyrveError),
    "failing": ({"fault": "status", "status": 503}, Transient),
    "cut short": ({"fault": "truncate"}, Transient),
    "a web page": ({"fault": "not_json"}, Transient),
    "without the list": ({"fault": "status", "status": 200, "body": LISTED}, MalformedAnswer),
    "list is null": ({"fault": "status", "status": 200, "body": LISTED | {"couponSeries": None}}, MalformedAnswer),
    "other organizations only": (
        {"fault": "status", "status": 200, "body": LISTED | {"couponSeries": []}},
        MalformedAnswer,
    ),
}


@pytest.mark.parametrize("case", UNUSABLE_LISTINGS)
def test_listing_that_is_not_complete_retires_nothing(coupons: Couponing, row_versions: Versions, case: str) -> None:
    fault, error = UNUSABLE_LISTINGS[case]
    coupons.pull_coupons()
    before = row_versions()
    coupons.simulator.control.set_faults([{"operation": "coupon_series"} | fault])

    with pytest.raises(error):
        coupons.pull_coupons(call_deadline_seconds=0.2)

    assert row_versions() == before
    assert coupons.offered == {"Серия 1", "Серия 2", "Серия 3"}


def test_series_that_cannot_be_read_refuses_the_listing_and_retires_nothing(coupons: Couponing) -> None:
    coupons.pull_coupons()
    items = [{"organizationId": coupons.organization_id, "items": [{"id": "no-uuid", "name": "Серия 9"}]}]
    body = LISTED | {"couponSeries": items}
    coupons.simulator.control.set_faults(
        [{"operation": "coupon_series", "fault": "status", "status": 200, "body": body}]
    )

    with pytest.raises(MalformedAnswer, match=r"items\[0\].id is not a uuid"):
        coupons.pull_coupons()

    assert len(coupons.offered) == 3


def test_missing_right_or_loyalty_retires_nothing_and_says_so(coupons: Couponing) -> None:
    coupons.pull_coupons()
    coupons.simulator.control.set_switches(removed_rights=["coupon_series"])
    with pytest.raises(PermissionDenied, match="Loyalty: coupons"):
        coupons.pull_coupons()

    coupons.simulator.control.set_switches(removed_rights=[], organizations_without_loyalty=[coupons.organization_id])
    with pytest.raises(LoyaltyNotConfigured):
        coupons.pull_coupons()

    assert len(coupons.offered) == 3


def test_odd_discount_is_kept_as_a_reject_until_it_is_put_right(coupons: Couponing) -> None:
    items = [{"organizationId": coupons.organization_id, "items": [series(1, discountValue="a tenth")]}]
    body = LISTED | {"couponSeries": items}
    coupons.simulator.control.set_faults(
        [{"operation": "coupon_series", "fault": "status", "status": 200, "body": body}]
    )

    counts = coupons.pull_coupons()

    assert counts.cleaned == 1
    assert coupons.rows("select name, discount_value from syrve.coupon_series") == [("Серия 1", None)]
    query = "select entity, stage, reason, resolved_at is null, payload ->> 'received' from sync.reject"
    assert coupons.rows(query) == [("coupon_series", "field", "is not a number", True, "a tenth")]

    coupons.simulator.control.clear_faults()
    coupons.pull_coupons()
    assert coupons.value("select resolved_at is not null from sync.reject")


def test_last_seen_moves_once_a_day_and_is_no_change(coupons: Couponing) -> None:
    coupons.pull_coupons()
    coupons.execute("update syrve.coupon_series set last_seen_at = now() - interval '25 hours' where name = 'Серия 1'")
    coupons.execute("update syrve.coupon_series set last_seen_at = now() - interval '23 hours' where name = 'Серия 2'")

    counts = coupons.pull_coupons()

    query = "select name, last_seen_at > now() - interval '1 hour', changed_at = first_seen_at from syrve.coupon_series"
    assert coupons.rows(f"{query} order by name") == [
        ("Серия 1", True, True),
        ("Серия 2", False, True),
        ("Серия 3", True, True),
    ]
    assert counts.changed == 0


def test_older_listing_than_what_is_stored_changes_nothing(coupons: Couponing, row_versions: Versions) -> None:
    coupons.pull_coupons()
    coupons.execute("update syrve.coupon_series set last_seen_at = now() + interval '1 hour'")
    before = row_versions()
    coupons.offer(series(1, name="older"))

    coupons.pull_coupons()

    assert row_versions() == before


def test_organizations_do_not_touch_each_other(coupons: Couponing) -> None:
    other = coupons.other_organization_id
    coupons.offer(series(1), organization_id=other)
    coupons.pull_coupons()
    coupons.pull_coupons(other)
    coupons.offer()

    coupons.pull_coupons()

    query = "select organization_id::text, count(*) filter (where gone_at is null) from syrve.coupon_series group by 1"
    assert dict(coupons.rows(query)) == {coupons.organization_id: 0, other: 1}


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
