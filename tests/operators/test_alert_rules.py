"""The alert rules: each fires when its trouble is planted, none on a healthy warehouse, and each has its runbook."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.pulls import Syncing
from syrve.operators.metrics import COUNTERS, GAUGES, send_gauges

DOCS = Path(__file__).parents[2] / "docs"
RULES = {
    rule["alert"]: rule
    for group in yaml.safe_load((DOCS / "monitoring" / "alert-rules.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
}
OF_A_GAUGE = re.compile(r'max\(\{__name__="airflow_(\w+)"\}\) > (\d+)')
TROUBLES = {
    "SyrveMoneyUnsettled": (
        "insert into wallet.unsettled_operation "
        "(operation_id, organization_id, customer_id, wallet_id, kind, amount, source, planned_at, sent_at, state) "
        "values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'topup', 1, 'test', "
        "now() - interval '3 hours', now() - interval '2 hours', 'unknown')"
    ),
    "SyrveHoldsDangling": (
        "insert into wallet.finding "
        "(rule, subject, organization_id, hold_id, amount_at_risk, severity, evidence, first_seen_at, last_seen_at) "
        "values ('stale_hold', 'h', gen_random_uuid(), gen_random_uuid(), 1, 'high', '{}', now(), now())"
    ),
    "SyrveBreakerWaits": (
        "insert into sync.breaker (organization_id, kind, run_id, looked, affected, allowed) "
        "values (gen_random_uuid(), 'customers_gone', 'r', 100, 50, 20)"
    ),
    "SyrveLookUpsLate": (
        "insert into sync.roster (organization_id, identity_kind, identity_value, source, checked_at, due_at) "
        "values (gen_random_uuid(), 'phone', '+79750000001', 'test', now() - interval '9 days', now() - interval '2 days')"
    ),
    "SyrveNeverLookedUp": (
        "insert into sync.roster (organization_id, identity_kind, identity_value, source) "
        "values (gen_random_uuid(), 'phone', '+79750000002', 'test')"
    ),
    "SyrveBudgetPaused": (
        "insert into sync.call_budget (account, family, calls_per_minute, configured_per_minute, paused_until) "
        "values ('a', 'customer', 90, 90, now() + interval '1 hour')"
    ),
    "SyrvePushWaits": (
        "insert into crm.push_plan (plan_id, crm_id, organization_id, customer_id, action, changes, edited_at, agreed_version) "
        "values (1, 1, gen_random_uuid(), gen_random_uuid(), 'update', '{}', now(), 1)"
    ),
}


def fired(measured: dict[str, float]) -> set[str]:
    """The alerts over gauges whose condition holds."""
    by_name = {name.replace(".", "_"): value for name, value in measured.items()}
    found = {}
    for alert, rule in RULES.items():
        if match := OF_A_GAUGE.fullmatch(rule["expr"]):
            found[alert] = by_name[match[1]] > float(match[2])
    return {alert for alert, holds in found.items() if holds}


def firing(syncing: Syncing) -> set[str]:
    return fired(send_gauges(syncing.warehouse))


def test_no_alert_fires_on_a_healthy_warehouse(syncing: Syncing) -> None:
    syncing.add(phone=[each["phone"] for each in syncing.customers(5)])
    syncing.pull()

    assert firing(syncing) == set()


@pytest.mark.parametrize("alert", TROUBLES)
def test_alert_fires_on_its_trouble_alone(syncing: Syncing, alert: str) -> None:
    syncing.execute(TROUBLES[alert])

    assert firing(syncing) == {alert}


def test_every_rule_over_a_gauge_has_a_planted_trouble() -> None:
    assert {name for name, rule in RULES.items() if OF_A_GAUGE.fullmatch(rule["expr"])} == set(TROUBLES)


def test_rules_ask_for_metrics_that_are_sent() -> None:
    asked = {name for rule in RULES.values() for name in re.findall(r"airflow_(\w+)", rule["expr"])}

    assert asked <= {name.replace(".", "_") for name in (*COUNTERS.values(), *GAUGES)}


def test_every_rule_has_its_section_in_the_runbook() -> None:
    page = (DOCS / "alerts.md").read_text(encoding="utf-8")

    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == list(RULES)
    runbooks: dict[str, Any] = {name: rule["annotations"]["runbook"] for name, rule in RULES.items()}
    assert runbooks == {name: f"alerts.md#{name.lower()}" for name in RULES}


def test_queries_of_the_runbook_run_as_ops(syncing: Syncing) -> None:
    queries = re.findall(r"`(select [^`]+)`", (DOCS / "alerts.md").read_text(encoding="utf-8"))

    assert len(queries) >= 6
    for query in queries:
        with syncing.warehouse.transaction("test") as cursor:
            cursor.execute("set local role syrve_ops")
            cursor.execute(query)
