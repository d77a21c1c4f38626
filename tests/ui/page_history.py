"""A warehouse for the page's statements: what is open and recent, and a past that is twenty times as long."""

from typing import Any

from benchmarks.page import fill
from psycopg2.extras import Json

PRESENT_CUSTOMERS = 2_000
TIMES = 20
_OLD = PRESENT_CUSTOMERS * TIMES
_EACH = f"from generate_series(1, {_OLD}) i"
_AGO = "now() - interval '400 days' - i * interval '1 minute'"
ORDER = "order-of-a-finding"

STEADY = {
    *("syrve.organization", "syrve.customer", "syrve.wallet_balance", "sync.roster", "crm.customer"),
    *("sync.call_budget", "sync.refresh_policy", "sync.freshness_kept", "crm.field_policy", "crm.push_blocked"),
}
"""Tables as large as what is there now, whatever has been."""

PRESENT = (
    *fill(PRESENT_CUSTOMERS),
    # The first of the ledger, and as many runs as the newest are taken from.
    """
    insert into wallet.operation (operation_id, kind, organization_id, customer_id, wallet_id, amount, source, requested_at)
    select md5('first')::uuid, 'topup', md5('o1')::uuid, md5('c1')::uuid, md5('w1')::uuid, 10, 'payment', now() - interval '100 days'
    """,
    """
    insert into sync.run (run_id, task, map_index, updated_at)
    select 'm' || i, 'syrve_customers.pull', 0, now() - interval '20 days' - i * interval '1 minute' from generate_series(1, 1200) i
    """,
    """
    update wallet.hold set order_id = 'order-of-a-finding'
    where hold_id = (select hold_id from wallet.finding order by finding_id limit 1)
    """,
    """
    update wallet.operation set order_id = 'order-of-a-finding'
    where operation_id = (select hold_id from wallet.finding order by finding_id limit 1)
    """,
    """
    insert into wallet.payment_order_version (organization_id, order_id, state_at, state)
    select organization_id, order_id, now() - n * interval '1 hour', 'open' from wallet.hold cross join generate_series(1, 3) n
    where order_id is not null
    """,
    """
    insert into crm.customer (organization_id, customer_id, surname)
    select organization_id, customer_id, 'a' from syrve.customer order by customer_id limit 100
    """,
    "insert into sync.alert (kind, subject, detail) select 'dag_failing', 'dag-' || i, 'it fails' from generate_series(1, 5) i",
)

GROWN = {
    "sync.run": f"""
        insert into sync.run (run_id, task, map_index, requested, updated_at)
        select 'old' || i, 'syrve_customers.pull', 0, 1, {_AGO} {_EACH}""",
    "sync.reject": f"""
        insert into sync.reject (run_id, entity, identity, stage, reason, resolved_at)
        select 'old', 'customer', 'old' || i, 'field', 'reason', {_AGO} {_EACH}""",
    "sync.audit": f"insert into sync.audit (user_id, user_name, action, done_at) select '1', 'ops', 'look', {_AGO} {_EACH}",
    "sync.alert": f"""
        insert into sync.alert (kind, subject, detail, began_at, ended_at)
        select 'dag_failing', 'dag', 'it failed', {_AGO}, {_AGO} {_EACH}""",
    "sync.backfill": f"""
        insert into sync.backfill (run_id, criteria, started_at, finished_at, planned_at)
        select 'old' || i, '{{}}', {_AGO}, {_AGO}, {_AGO} {_EACH}""",
    "sync.breaker": f"""
        insert into sync.breaker (organization_id, kind, run_id, looked, affected, allowed, tripped_at, decision, decided_at, decided_by)
        select md5('o1')::uuid, 'customers_gone', 'old', 9, 9, 1, {_AGO}, 'dropped', {_AGO}, 'ops' {_EACH}""",
    "sync.approval": f"""
        insert into sync.approval (approval_id, kind, subject, digest, rows, dag_id, run_id, requested_by, asked_at)
        select md5('a' || i)::uuid, 'release', 's', repeat('a', 64), 1, 'd', 'r' || i, 'ops', {_AGO} {_EACH}""",
    "sync.approval_event": """
        insert into sync.approval_event (approval_id, sequence, state, digest, requested_by)
        select approval_id, 1, 'rejected', digest, requested_by from sync.approval""",
    "sync.signal_day": f"""
        insert into sync.signal_day (organization_id, kind, day, received)
        select md5('o' || i % 2)::uuid, 'kind' || i % 100, current_date - 20 - i / 100, 1 {_EACH}""",
    "crm.push_plan_summary": f"""
        insert into crm.push_plan_summary (
            plan_id, planned_at, run_id, is_dry_run, fields, considered, creates, updates, memberships, conflicts, asking, refused, waiting,
            agreed
        ) select 10000 + i, {_AGO}, 'old', true, '{{}}', 9, 9, 9, 9, 9, 9, 9, 9, 9 {_EACH}""",
    "crm.push_plan": f"""
        insert into crm.push_plan (plan_id, crm_id, organization_id, action, changes, edited_at, agreed_version, state)
        select 10000 + i, i, md5('o1')::uuid, 'update', '{{"name": {{"from": "a", "to": "b"}}}}', {_AGO}, 1, 'pushed' {_EACH}""",
    "crm.push": f"""
        insert into crm.push (plan_id, crm_id, organization_id, step, operation, fields, outcome, run_id, attempted_at)
        select 10000 + i, 1000000 + i, md5('o1')::uuid, 0, 'create_or_update', '{{name}}', 'acknowledged', 'old', {_AGO} {_EACH}""",
    "crm.conflict": f"""
        insert into crm.conflict (crm_id, organization_id, customer_id, field, policy, outcome, found_at, closed_at)
        select i, md5('o1')::uuid, md5('c' || i)::uuid, 'name', 'ask', 'waits', {_AGO}, {_AGO} {_EACH}""",
    "wallet.operation": f"""
        insert into wallet.operation (operation_id, kind, organization_id, customer_id, wallet_id, amount, source, requested_at, order_id)
        select md5('old' || i)::uuid, 'topup', md5('o' || i % 2)::uuid, md5('gone' || i)::uuid, md5('w1')::uuid, 10, 'payment', {_AGO},
            'old-' || i {_EACH}""",
    "wallet.operation_event": f"""
        insert into wallet.operation_event (operation_id, sequence, state, occurred_at, basis)
        select md5('old' || i)::uuid, 1, 'confirmed', {_AGO}, 'report' {_EACH}""",
    "wallet.unsettled_operation": f"""
        insert into wallet.unsettled_operation (operation_id, kind, organization_id, source, state, planned_at, settled_at, basis)
        select md5('old' || i)::uuid, 'topup', md5('o1')::uuid, 'payment', 'confirmed', {_AGO}, {_AGO}, 'answer' {_EACH}""",
    "wallet.hold": f"""
        insert into wallet.hold (
            hold_id, organization_id, customer_id, wallet_id, amount, source, observed, state, opened_at, closed_at, closed_by
        ) select md5('old' || i)::uuid, md5('o1')::uuid, md5('gone' || i)::uuid, md5('w1')::uuid, 10, 'payment', false, 'confirmed', {_AGO},
            {_AGO}, 'cancelled' {_EACH}""",
    "wallet.finding": f"""
        insert into wallet.finding (finding_id, rule, subject, organization_id, hold_id, severity, first_seen_at, last_seen_at, status,
            resolved_at)
        select md5('old' || i)::uuid, 'stale_hold', 'old' || i, md5('o1')::uuid, md5('old' || i)::uuid, 'high', {_AGO}, {_AGO},
            'resolved', {_AGO} {_EACH}""",
    "wallet.finding_version": f"""
        insert into wallet.finding_version (finding_id, version, as_of, status, severity, reason)
        select md5('old' || i)::uuid, 1, {_AGO}, 'resolved', 'high', 'gone' {_EACH}""",
    "wallet.finding_evaluation": f"""
        insert into wallet.finding_evaluation (organization_id, as_of, thresholds, first_evaluated_at, evaluated_at)
        select md5('o' || i % 2)::uuid, {_AGO}, '{{}}', {_AGO}, {_AGO} {_EACH}""",
    "wallet.payment_order_version": f"""
        insert into wallet.payment_order_version (organization_id, order_id, state_at, state)
        select md5('o1')::uuid, 'old-' || i, {_AGO}, 'completed' {_EACH}""",
    "wallet.release": f"""
        insert into wallet.release (
            release_id, request_id, run_id, place, hold_id, transaction_id, organization_id, customer_id, wallet_id, amount, hold_state,
            opened_at, rules, severity, findings, asked_at, answer_until
        ) select md5('old' || i)::uuid, md5('q' || i)::uuid, 'old', 1, md5('old' || i)::uuid, md5('old' || i)::uuid, md5('o1')::uuid,
            md5('gone' || i)::uuid, md5('w1')::uuid, 10, 'confirmed', {_AGO}, '{{stale_hold}}', 'high', '[1]', {_AGO}, {_AGO} {_EACH}""",
    "wallet.release_event": f"""
        insert into wallet.release_event (release_id, sequence, state, occurred_at)
        select md5('old' || i)::uuid, 1, 'released', {_AGO} {_EACH}""",
    "syrve.customer_version": f"""
        insert into syrve.customer_version (organization_id, customer_id, is_deleted, extra, valid_from, valid_to)
        select md5('o1')::uuid, md5('gone' || i)::uuid, false, '{{}}', {_AGO} - interval '1 day', {_AGO} {_EACH}""",
    "syrve.wallet_balance_version": f"""
        insert into syrve.wallet_balance_version (
            organization_id, customer_id, wallet_id, name, type, balance, balance_after, valid_from, valid_to
        ) select md5('o1')::uuid, md5('gone' || i)::uuid, md5('w1')::uuid, 'Wallet', 1, 2, 1, {_AGO} - interval '1 day', {_AGO} {_EACH}""",
}
"""What makes the past of each table that has one."""


def values_of(cursor: Any) -> dict[str, Any]:
    """Return a value for every parameter of the statements: of a customer, a finding, an operation that are there."""
    cursor.execute("select finding_id::text, hold_id::text from wallet.finding order by finding_id limit 1")
    finding_id, hold_id = cursor.fetchone()
    cursor.execute("select organization_id::text, customer_id::text from crm.customer order by crm_id limit 1")
    organization_id, customer_id = cursor.fetchone()
    return {
        "most": 50,
        "most_counted": 1_000,
        "most_left": 1_000,
        "clear": False,
        "entity": None,
        "stage": None,
        "run_id": None,
        "reason_key": None,
        "most_searched": 1_000,
        "state": None,
        "field": "name",
        "plan_id": 1000,
        "crm_id": 1,
        "conflict_id": 1,
        "decision": "crm",
        "phone": None,
        "organization_id": organization_id,
        "customer_id": customer_id,
        "finding_id": finding_id,
        "operation_id": hold_id,
        "finding_ids": [finding_id],
        "reject_ids": [1],
        "not_looking_up": ["syrve_roster_import"],
        "run_ids": [f"r{number}" for number in range(16)],
        "max_age_seconds": 86_400,
        "shown_max_age_seconds": None,
        "shown_min_interval_seconds": None,
        "min_interval_seconds": 900,
        "user_id": "1",
        "user_name": "ops",
        "action": "look",
        "subject": Json({}),
    }
