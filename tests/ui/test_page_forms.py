"""What the token in every form of the page says: whose it is, and that the same form was sent before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syrve.ui.access import _owner_of, _tokens
from syrve.ui.airflow_api import _run_id
from syrve.ui.render import units
from syrve.ui.views.freshness import DAY_SECONDS, _seconds


def test_form_names_its_owner() -> None:
    assert _owner_of(_tokens().dumps(["3", "nonce"])) == "3"


@pytest.mark.parametrize("content", ["3", [], {}, None, 3, ["", "nonce"]])
def test_form_of_another_version_belongs_to_no_user(content: object) -> None:
    assert _owner_of(_tokens().dumps(content)) == ""


@pytest.mark.parametrize("token", ["", "no token", "WyIzIl0.x.y", "\u202e" * 50])
def test_token_that_was_not_signed_here_belongs_to_no_user(token: str) -> None:
    assert _owner_of(token) == ""


def test_same_form_means_the_same_run() -> None:
    conf = {"dry_run": False, "limit": 4}

    assert _run_id("key", "syrve_crm_push", conf) == _run_id("key", "syrve_crm_push", dict(reversed(conf.items())))
    assert _run_id("key", "syrve_backfill", {"path": "dropped-11-29-abcdefgh.csv"}) == _run_id(
        "key", "syrve_backfill", {"path": "dropped-11-29-hgfedcba.csv"}
    )


def test_other_form_dag_or_values_mean_another_run() -> None:
    conf = {"dry_run": False, "path": "guests.csv"}
    runs = [
        _run_id("key", "syrve_crm_push", conf),
        _run_id("other key", "syrve_crm_push", conf),
        _run_id("key", "syrve_backfill", conf),
        _run_id("key", "syrve_crm_push", conf | {"dry_run": True}),
        _run_id("key", "syrve_crm_push", conf | {"path": "others.csv"}),
    ]

    assert len(set(runs)) == len(runs)


@given(st.integers(1, 2**31 - 1), st.sampled_from([60, DAY_SECONDS]))
def test_promise_that_a_form_shows_reads_as_the_same(seconds: int, unit_seconds: int) -> None:
    shown = units(seconds, unit_seconds)

    assert _seconds(shown, unit_seconds, "maximum age") == seconds
    assert len(shown) <= 20


def test_whole_days_are_shown_without_a_fraction() -> None:
    assert (units(30 * DAY_SECONDS, DAY_SECONDS), units(43_200, DAY_SECONDS), units(None, 60)) == ("30", "0.5", "")
