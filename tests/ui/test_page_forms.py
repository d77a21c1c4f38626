"""What the token in every form of the page says: whose it is, and that the same form was sent before."""

import pytest

from syrve.ui.access import _owner_of, _tokens
from syrve.ui.airflow_api import _run_id


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
