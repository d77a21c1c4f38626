"""`python -m syrve freshness`: what a budget buys, for people and for programs."""

import json

import pytest

from fixtures.chains import ORGANIZATION, Chain
from syrve.__main__ import main

FILL = """
insert into sync.roster (organization_id, identity_kind, identity_value, source, checked_at, outcome, changes, exposure_days)
select %s, 'card', number::text, 'test', now(), 'found', number %% 10, 100 from generate_series(1, 3000) as number
"""


@pytest.fixture
def asked(chain: Chain, emptied_warehouse_dsn: str, monkeypatch: pytest.MonkeyPatch) -> Chain:
    monkeypatch.setenv("SYRVE_WAREHOUSE_DSN", emptied_warehouse_dsn)
    return chain


def fill(chain: Chain) -> None:
    chain.execute(FILL, ORGANIZATION)
    chain.execute(
        "insert into syrve.organization (organization_id, name, time_zone, account, synced_at) values (%s, 'One', 'UTC', 'a', now())",
        ORGANIZATION,
    )
    chain.execute(
        "insert into sync.call_budget (account, family, calls_per_minute, configured_per_minute) values ('a', 'customer', 1, 1)"
    )


def test_more_calls_buy_less_delay_and_the_promise_is_priced(asked: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    fill(asked)

    assert main(["freshness", "--what-if", "0.01,2,4", "--json"]) == 0

    (account,) = json.loads(capsys.readouterr().out)["accounts"]
    rows = account["budgets"]
    assert [row["calls_per_minute"] for row in rows] == [0.01, 1, 2, 4]
    delays = [row["mean_delay_days"] for row in rows]
    assert delays == sorted(delays, reverse=True)
    assert [row["keeps_max_age"] for row in rows] == [False, True, True, True]
    assert account["least_calls_per_minute_for_max_age"] == pytest.approx(3000 / 30 / 0.95 * 1.01 / 1440)
    assert asked.value("select count(*) from sync.refresh_fit") == 0, "asking changes nothing"


def test_table_marks_the_present_budget(asked: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    fill(asked)

    assert main(["freshness", "--what-if", "50"]) == 0

    text = capsys.readouterr().out
    assert "3,000 identities in 1 organization(s)" in text
    assert "kept  (now)" in text
    assert "smallest budget that keeps the promised maximum age: 1 calls per minute" in text


@pytest.mark.usefixtures("asked")
def test_warehouse_without_budgets_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["freshness"]) == 0
    assert "run syrve_customers once" in capsys.readouterr().out


@pytest.mark.parametrize("budgets", ["many", "0", "-5", "nan"])
def test_budget_that_is_none_is_refused(budgets: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["freshness", f"--what-if={budgets}"])
    assert "budget" in capsys.readouterr().err
