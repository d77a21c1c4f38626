"""The operators of the backfill: what the form may ask for, what a dry run says, and what the run is told."""

import logging
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from fixtures.airflow import Running, SetConnection, postgres_fields
from fixtures.run_notes import AirflowLike
from syrve.api.errors import ConfigurationError
from syrve.customers.backfill import BackfillProgress
from syrve.customers.pull_settings import OUTAGE_BATCH_SIZE, backfill_settings, pull_settings
from syrve.operators.backfill import SyrveFinishBackfillOperator, SyrvePlanBackfillOperator
from syrve.operators.customers import SyrvePullCustomersOperator
from syrve.operators.progress import format_backfill, format_rate
from syrve.sources.errors import UnusableSource

CANARY = "+79757776655"


def plan(running: Running, **params: Any) -> Any:
    return running.execute(SyrvePlanBackfillOperator, task_id="plan", **({"is_dry_run": False} | params))


def test_dry_run_says_how_many_look_ups_and_how_long_and_writes_nothing(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    syncing = running.syncing
    syncing.add(phone=[each["phone"] for each in syncing.customers(90)])
    syncing.execute("delete from sync.run")
    caplog.set_level(logging.INFO)

    shards = plan(running, is_dry_run="True", force="True", cap_per_minute="60")

    assert shards == []
    assert f"({syncing.organization_id}): 90 look-ups" in caplog.text
    assert (
        "dry run, nothing was written: 90 look-ups in 1 organization(s), at least 0:01:30 at 60 a minute" in caplog.text
    )
    for table in ("sync.backfill", "syrve.organization", "sync.run", "sync.reject"):
        assert syncing.value(f"select count(*) from {table}") == 0, table
    assert syncing.value("select count(backfill_id) from sync.roster") == 0


def test_dry_run_reckons_with_the_budget_in_force(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    syncing = running.syncing
    syncing.add(phone=[each["phone"] for each in syncing.customers(10)])
    caplog.set_level(logging.INFO)
    plan(running, is_dry_run=True, force=True)
    syncing.execute("update sync.call_budget set calls_per_minute = 20 where family = 'customer'")

    plan(running, is_dry_run=True, force=True, cap_per_minute=50)

    assert "10 look-ups in 1 organization(s), at least 0:00:30 at 20 a minute" in caplog.text


def test_backfill_is_planned_pulled_and_ended(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    syncing = running.syncing
    phones = [each["phone"] for each in syncing.customers(30)]
    syncing.add(phone=phones)
    syncing.execute("update sync.roster set due_at = now() + interval '1 day'")
    caplog.set_level(logging.INFO)

    shards = plan(running, force="True", shard_size="20", max_shards="4")
    done = [
        running.execute(SyrvePullCustomersOperator, task_id="pull", map_index=shard["shard"], **shard)["requested"]
        for shard in shards
    ]
    running.execute(SyrveFinishBackfillOperator, task_id="all_pulled", count_task_id="pull")

    assert [(each["shard"], each["expected"], each["max_identities"]) for each in shards] == [
        (0, 15, None),
        (1, 15, None),
    ]
    assert sum(done) == 30
    assert syncing.rows("select requested, finished_at is not null from sync.backfill") == [(30, True)]
    assert "backfill 1: 30 of 30 looked up (100%), changed 30; done" in caplog.text
    assert caplog.text.count("No connection syrve_airflow_api: progress is in this log only") == 3, (
        "once a task that has something to tell"
    )
    assert not [phone for phone in phones if phone in caplog.text]


def test_note_of_the_run_sums_up_its_shards(running: Running, airflow_api: AirflowLike) -> None:
    syncing = running.syncing
    syncing.add(phone=[each["phone"] for each in syncing.customers(40)])
    told = []
    (shard,) = plan(running, force=True, max_shards=1)
    told.append(airflow_api.note)
    for map_index in (0, 1):
        part = shard | {"max_identities": 12, "batch_size": 8}
        running.execute(SyrvePullCustomersOperator, task_id="pull", map_index=map_index, **part)
        told.append(airflow_api.note)
    running.execute(SyrveFinishBackfillOperator, task_id="all_pulled", count_task_id="pull")
    told.append(airflow_api.note)

    assert [str(each).partition(";")[0] for each in told] == [
        "Progress: backfill 1: 40 look-ups in 1 organization(s), at least 0:00:00 at 1,000,000 a minute",
        "Progress: backfill 1: 4 of 40 looked up (10%), changed 4",
        "Progress: backfill 1: 16 of 40 looked up (40%), changed 16",
        "Progress: backfill 1: 24 of 40 looked up (60%), changed 24",
    ]
    assert "look-ups a minute, about 0:00:" in str(told[1])
    assert str(told[3]).endswith("; done; 16 left to the scheduled pull")


def test_end_of_a_dry_run_is_nothing(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    running.execute(SyrveFinishBackfillOperator, task_id="all_pulled", count_task_id="pull")

    assert "it was a dry run" in caplog.text


def test_customers_are_named_by_id_whatever_the_rendering(running: Running) -> None:
    syncing = running.syncing
    ids = [each["customer_id"] for each in syncing.customers(2)]
    own = [syncing.organization_id]

    for customer_ids in (ids, str(ids), ",".join(ids)):
        plan(running, source="ids", customer_ids=customer_ids, organization_ids=own)

    assert syncing.rows("select identity_kind, identity_value from sync.roster order by 2") == [
        ("id", each) for each in sorted(ids)
    ]


def test_phone_in_the_place_of_an_id_is_refused_and_not_repeated(running: Running) -> None:
    own = running.syncing.organization_id

    with pytest.raises(
        UnusableSource, match=r"customer_ids: entry 1 is not a customer id; phones and cards go into"
    ) as caught:
        plan(running, source="ids", customer_ids=[CANARY], organization_ids=[own])

    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__


def test_file_and_query_are_read_as_those_of_a_roster_import(
    running: Running,
    tmp_path: Path,
    set_connection: SetConnection,
    empty_database_dsn: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    set_connection("shop", **postgres_fields(empty_database_dsn))
    own = running.syncing.organization_id
    file = tmp_path / "guests.csv"
    file.write_text(f"phone;card\n8 975 000-00-01;\n;A1\nnobody knows {CANARY[4:]} and {CANARY[4:]};\n")
    with closing(psycopg2.connect(empty_database_dsn)) as shop, shop, shop.cursor() as cursor:
        numbers = "select '8975' || lpad(n::text, 7, '0') as phone from generate_series(2, 4) as s (n)"
        cursor.execute(f"create view guest as {numbers}")
    query = "select phone from guest"
    caplog.set_level(logging.DEBUG)

    plan(running, source="file", path=file.as_uri(), organization_ids=[own])
    running.syncing.execute("delete from sync.backfill")
    plan(running, source="query", query=query, query_conn_id="shop", organization_ids=[own])

    found = {value for (value,) in running.syncing.rows("select identity_value from sync.roster")}
    assert found == {"A1", *(f"+7975000000{n}" for n in range(1, 5))}
    assert "1 row(s) give no identity; they are in sync.reject, stage import" in caplog.text
    assert CANARY[4:] not in caplog.text
    assert "+7975000000" not in caplog.text


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"source": "ids"}, "the source is ids, but customer_ids is empty"),
        ({"source": "file"}, "the source is a file, but path is empty"),
        ({"source": "query"}, "the source is a query, but query is empty"),
        ({"path": "file:///nowhere.csv"}, "path is filled, but source is roster: choose file, or empty it"),
        ({"customer_ids": ["5f4e0006-0000-4000-8000-000000000001"]}, "customer_ids is filled, but source is roster"),
        ({"source": "ids", "query": "select 1"}, "query is filled, but source is ids: choose query, or empty it"),
        ({"source": "crm"}, "source must be one of roster, ids, file, query"),
        (
            {"not_refreshed_since": "2026-13-01"},
            "not_refreshed_since must be a date or time, such as 2026-09-01T00:00Z",
        ),
        (
            {"source": "ids", "customer_ids": ["5f4e0006-0000-4000-8000-000000000001"]},
            "the source has no column organization_id; name the organization in the form",
        ),
    ],
)
@pytest.mark.parametrize("is_dry_run", [True, False])
def test_form_that_makes_no_sense_is_refused_in_a_dry_run_too(
    running: Running, params: dict[str, Any], told: str, is_dry_run: bool
) -> None:
    with pytest.raises(UnusableSource, match=told):
        plan(running, is_dry_run=is_dry_run, **params)


def test_organization_that_the_login_does_not_see_is_refused(running: Running) -> None:
    with pytest.raises(ConfigurationError, match="does not see the organization"):
        plan(running, organization_ids=["5f4e0008-0000-4000-8000-000000000001"])


def test_ids_in_the_form_are_rendered_for_the_task_and_kept_nowhere() -> None:
    assert "customer_ids" not in SyrvePlanBackfillOperator.template_fields


def test_batches_of_a_backfill_stay_small_and_large_enough_to_tell_an_outage() -> None:
    assert backfill_settings(500, 100, None).batch_size == 2 * OUTAGE_BATCH_SIZE
    assert backfill_settings(500, 1_200, None).batch_size == 240
    assert backfill_settings(500, 1_200, 300).batch_size == 60
    assert backfill_settings(10, 1_200, None).batch_size == 10
    assert backfill_settings(500, 100, None).lease_seconds > pull_settings(500, 100).lease_seconds
    assert pull_settings(500, 100).batch_size == 200


def test_progress_is_told_as_a_rate_and_an_estimate() -> None:
    progress = BackfillProgress(7, requested=5_000, looked_up=1_250, changed=12, not_found=0, rejected=0, failed=3)

    assert format_backfill(progress) == "backfill 7: 1,250 of 5,000 looked up (25%), changed 12, failed 3"
    told = format_rate(600, timedelta(minutes=2).total_seconds(), 3_750)
    assert told == "300 look-ups a minute, about 0:12:30 left for 3,750 more"
    assert format_rate(600, 120, 0) == "300 look-ups a minute"
    assert format_rate(0, 0, 10) == "just begun"
