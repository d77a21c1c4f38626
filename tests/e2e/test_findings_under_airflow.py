"""Reconciliation through a real scheduler: past days by Airflow's own backfill, and a run by hand."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from devstack import names
from e2e_support import wait_until
from fixtures.channels import Webhook, open_webhook

HOLD = "5f4e0005-0000-4000-8000-0000000000{:02d}"
EMPTY = """
    truncate wallet.operation, wallet.operation_look, wallet.operation_event, wallet.hold, wallet.unsettled_operation,
        wallet.finding, wallet.finding_version, wallet.finding_evaluation, wallet.finding_count, wallet.finding_told, wallet.notification
"""


def records(customer: Any, first: datetime) -> str:
    """What a till reports of three days: a hold a day that nobody ends; the first is cancelled on the third day."""
    organization_id, customer_id = customer["organization_id"], customer["customer_id"]

    def row(record: str, hold: int, at: datetime, amount: str, wallet_id: str) -> str:
        return (
            f"select '{record}' as record, '{organization_id}' as organization_id, '{customer_id}' as customer_id, "
            f"{wallet_id} as wallet_id, {amount} as amount, '{HOLD.format(hold)}' as hold_id, timestamptz '{at}' as occurred_at"
        )

    wallet_id = f"'{customer['wallets'][0]['id']}'"
    rows = [
        row("hold", day, first + timedelta(days=day, hours=1), f"{10 * (day + 1)}.50", wallet_id) for day in range(3)
    ]
    return " union all ".join([*rows, row("cancel_hold", 0, first + timedelta(days=2, hours=2), "null", "null")])


def backfill(airflow: Any, *window: str) -> None:
    """Have Airflow run past intervals, and wait until it has."""
    airflow.command("backfill", "create", "--dag-id", names.RECONCILE_DAG, *window)
    states = "select state from dag_run where dag_id = %s and run_type = 'backfill'"
    wait_until(
        lambda: airflow.rows(states, names.RECONCILE_DAG, database=names.METADATA_DATABASE) == [("success",)] * 3,
        "three days have been evaluated",
        timeout_seconds=400,
    )


@contextmanager
def told_at(airflow: Any) -> Iterator[Webhook]:
    """Let a webhook be the channel of the notifications."""
    with open_webhook() as webhook:
        config = json.dumps({"config": {"path": webhook.path.replace("rto=0.3", "rto=9")}})
        airflow.rows(
            "insert into connection (conn_id, conn_type, extra, is_encrypted, is_extra_encrypted) values (%s, 'apprise', %s, false, false)",
            "syrve_notifications",
            config,
            database=names.METADATA_DATABASE,
        )
        yield webhook
        airflow.rows("delete from connection where conn_id = 'syrve_notifications'", database=names.METADATA_DATABASE)


def import_records(airflow: Any, query: str) -> None:
    airflow.rows(f"create or replace view source.e2e_records with (security_barrier) as {query}")
    outcome, _ = airflow.run(
        names.WALLET_IMPORT_DAG,
        source="query",
        query="select * from source.e2e_records",
        query_conn_id="syrve_warehouse",
        dry_run=False,
    )
    assert outcome == "success"


def test_backfilled_days_say_what_was_true_then(airflow: Any) -> None:
    (customer,) = airflow.fresh(customers=1)
    airflow.rows(EMPTY)
    first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=6)
    import_records(airflow, records(customer, first))
    ends = [first + timedelta(days=day) for day in (1, 2, 3)]

    backfill(airflow, "--from-date", ends[0].isoformat(), "--to-date", ends[-1].isoformat(), "--run-backwards")

    counts = airflow.rows(
        "select as_of, open_count, open_amount::float8, opened_count, closed_count from wallet.finding_count "
        "where rule = 'stale_hold' order by as_of"
    )
    assert counts == [(ends[0], 1, 10.5, 1, 0), (ends[1], 2, 31.0, 1, 0), (ends[2], 2, 51.0, 1, 1)]
    assert airflow.rows("select count(*) from wallet.finding where status = 'resolved' and rule = 'stale_hold'") == [
        (1,)
    ]

    settled = "select distinct state from task_instance where task_id = 'settle' and dag_id = %s"
    assert airflow.rows(settled, names.RECONCILE_DAG, database=names.METADATA_DATABASE) == [("skipped",)]

    with told_at(airflow) as webhook:
        outcome, _ = airflow.run(names.RECONCILE_DAG, thresholds={"default": {"rules_off": ["stale_hold"]}})
        assert outcome == "success"
        assert airflow.task_states() == {
            "plan": "success",
            "settle": "success",
            "reconcile[0]": "success",
            "publish": "success",
            "report": "success",
            "notify": "success",
            "all_reconciled": "success",
        }

    (posted,) = webhook.taken
    assert posted["title"] == "Syrve wallets: 2 opened", "the backfilled days were not told"
    (link,) = re.findall(r"Report: (file://\S+\.html)", posted["message"])
    page = Path(link.removeprefix("file://"))
    assert "hold_without_order" in page.read_text()
    reports = page.parents[1]
    assert len(list(reports.glob("*/*.csv"))) == len(list(reports.glob("*/*.html"))) == 4
    assert (reports / "latest.html").exists()
    assert airflow.rows("select distinct rule from wallet.finding where resolved_at is null") == [
        ("hold_without_order",)
    ]
