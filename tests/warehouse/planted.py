"""A small warehouse whose every figure is known: what the ten questions of docs/questions.md are asked about. Times count back from now."""

from syrve.customers.daily_balance import keep_daily_balance
from syrve.warehouse.database import Warehouse

ONE, TWO, THREE = (f"0a000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
"""Pulled since 70 days; listed and never pulled; pulled since yesterday."""


def customer_id(number: int) -> str:
    return f"0c000000-0000-4000-8000-00000000000{number}"


WALLET, GOODS = "0d000000-0000-4000-8000-000000000001", "0d000000-0000-4000-8000-000000000002"
LIVE, GONE = "0e000000-0000-4000-8000-000000000001", "0e000000-0000-4000-8000-000000000002"
HOLDS = [f"0f000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3)]

MIRROR = f"""
insert into syrve.organization (organization_id, name, time_zone, synced_at, account) values
    ('{ONE}', 'One', 'Europe/Moscow', now() - interval '70 days', 'a'), ('{TWO}', 'Two', 'UTC', now() - interval '70 days', 'a'),
    ('{THREE}', 'Three', 'UTC', now() - interval '1 day', 'a');
insert into syrve.customer (organization_id, customer_id, phone, phone_raw, is_deleted, extra, first_seen_at, changed_at, fetched_at,
    profile_changed_at)
select organization_id::uuid, customer_id::uuid, phone, phone, is_deleted, '{{}}', now() - first, now() - changed, now() - changed,
    now() - profile
from (values
    ('{ONE}', '{customer_id(1)}', '+79750000001', false, interval '70 days', interval '2 days', interval '70 days'),
    ('{ONE}', '{customer_id(2)}', '+79750000002', false, interval '70 days', interval '5 days', interval '5 days'),
    ('{ONE}', '{customer_id(3)}', null, false, interval '4 days', interval '4 days', interval '4 days'),
    ('{ONE}', '{customer_id(4)}', '+79750000004', true, interval '70 days', interval '3 days', interval '3 days'),
    ('{THREE}', '{customer_id(5)}', '+79750000001', false, interval '1 day', interval '1 day', interval '1 day')
) as planted (organization_id, customer_id, phone, is_deleted, first, changed, profile);
insert into syrve.customer_version (organization_id, customer_id, phone, phone_raw, is_deleted, extra, valid_from, valid_to) values
    ('{ONE}', '{customer_id(4)}', '+79750000004', '+79750000004', false, '{{}}', now() - interval '70 days', now() - interval '3 days'),
    ('{ONE}', '{customer_id(2)}', '+79750000002', '+79750000002', false, '{{}}', now() - interval '70 days', now() - interval '5 days');
insert into syrve.wallet_balance (organization_id, customer_id, wallet_id, name, type, balance, changed_at, fetched_at)
select organization_id::uuid, customer_id::uuid, wallet_id::uuid, 'a wallet', type, balance, now() - changed, now() - changed
from (values
    ('{ONE}', '{customer_id(1)}', '{WALLET}', 1, 100.10, interval '2 days'),
    ('{ONE}', '{customer_id(2)}', '{WALLET}', 1, 50.00, interval '70 days'),
    ('{ONE}', '{customer_id(3)}', '{GOODS}', 2, 7, interval '4 days'),
    ('{ONE}', '{customer_id(4)}', '{WALLET}', 1, 30.00, interval '70 days'),
    ('{THREE}', '{customer_id(5)}', '{WALLET}', 1, 5.55, interval '1 day')
) as planted (organization_id, customer_id, wallet_id, type, balance, changed);
insert into syrve.wallet_balance_version (organization_id, customer_id, wallet_id, name, type, balance, balance_after, valid_from,
    valid_to) values
    ('{ONE}', '{customer_id(1)}', '{WALLET}', 'a wallet', 1, 80.05, 100.10, now() - interval '10 days', now() - interval '2 days'),
    ('{ONE}', '{customer_id(1)}', '{WALLET}', 'a wallet', 1, 90.00, 80.05, now() - interval '70 days', now() - interval '10 days'),
    ('{ONE}', '{customer_id(2)}', '{GOODS}', 'gone again', 2, 3, null, now() - interval '20 days', now() - interval '2 days');
insert into syrve.customer_category (organization_id, customer_id, category_id, name, is_active, is_default_for_new_guests, changed_at)
select '{ONE}', person, '{WALLET}', 'VIP', true, false, now() - interval '60 days'
from unnest('{{{customer_id(1)}, {customer_id(4)}}}'::uuid[]) as person;
insert into syrve.customer_category_version (organization_id, customer_id, category_id, name, is_active, is_default_for_new_guests,
    valid_from, valid_to)
values ('{ONE}', '{customer_id(2)}', '{WALLET}', 'VIP', true, false, now() - interval '60 days', now() - interval '10 days');
insert into syrve.coupon_series (organization_id, series_id, name, is_activated, first_seen_at, changed_at, last_seen_at, gone_at) values
    ('{ONE}', '{LIVE}', 'Spring', true, now() - interval '70 days', now() - interval '70 days', now(), null),
    ('{ONE}', '{GONE}', 'Winter', true, now() - interval '70 days', now() - interval '9 days', now() - interval '10 days',
        now() - interval '9 days');
insert into syrve.coupon (organization_id, number, series_id, series_name, is_used, activated_at, verdict, checked_at)
select '{ONE}', number, '{LIVE}', 'Spring', verdict = 'used', case when verdict = 'used' then now() - interval '1 day' end, verdict, now()
from (values ('A1', 'used'), ('A2', 'used'), ('A3', 'valid'), ('A4', 'expired')) as planted (number, verdict);
"""

SYNC = f"""
insert into sync.roster (organization_id, identity_kind, identity_value, source, due_at, checked_at, confirmed_at, outcome, customer_id)
select '{ONE}', kind, identity, 'test', now() + due, now() - checked, now() - checked, outcome, customer::uuid
from (values
    ('phone', '+79750000001', interval '1 day', interval '2 hours', 'found', '{customer_id(1)}'),
    ('id', '{customer_id(1)}', interval '1 day', interval '1 hour', 'found', '{customer_id(1)}'),
    ('phone', '+79750000002', interval '-1 hour', interval '2 days', 'found', '{customer_id(2)}'),
    ('id', '{customer_id(3)}', interval '1 day', interval '3 hours', 'found', '{customer_id(3)}'),
    ('phone', '+79750000004', interval '1 day', interval '3 days', 'found', '{customer_id(1)}'),
    ('phone', '+79750000007', interval '1 day', interval '3 days', 'not_found', null),
    ('phone', '+79750000008', interval '-2 hours', null, null, null)
) as planted (kind, identity, due, checked, outcome, customer);
insert into sync.reject (run_id, entity, organization_id, identity, stage, reason, occurrences, last_seen_at, resolved_at)
select 'run', 'customer', '{ONE}', identity, 'field', reason, times, now(), case when is_over then now() end
from (values ('+1', 'birthday is no date', 3, false), ('+2', 'birthday is no date', 1, false), ('+3', 'sex is unknown', 1, true))
    as planted (identity, reason, times, is_over);
insert into sync.run (run_id, task, map_index, requested, found, not_found) values ('run', 'syrve_customers.pull', 0, 7, 6, 1);
insert into crm.push (plan_id, crm_id, organization_id, step, operation, fields, outcome, code, run_id, attempted_at)
select 1, crm_id, '{ONE}', 0, 'create_or_update', '{{name,card:CANARYTRACK}}', outcome, code, 'run', now() - interval '1 day'
from (values (1, 'acknowledged', null), (2, 'acknowledged', null), (3, 'refused', 'WrongPhone')) as planted (crm_id, outcome, code);
"""

MONEY = f"""
insert into wallet.operation (operation_id, kind, organization_id, customer_id, wallet_id, amount, order_id, hold_id, source, requested_at,
    idempotency_key, fingerprint)
select coalesce(id::uuid, gen_random_uuid()), kind, '{ONE}', '{customer_id(1)}', '{WALLET}', amount, order_id, hold::uuid, source,
    now() - at, key, case when key is not null then 'x'::bytea end
from (values
    ('{HOLDS[0]}', 'hold', 40.00, 'order-1', null, 'payment', interval '5 days', null),
    ('{HOLDS[1]}', 'hold', 10.00, 'order-2', null, 'payment', interval '2 days', null),
    ('{HOLDS[2]}', 'hold', 99.00, 'order-3', null, 'payment', interval '6 days', null),
    (null, 'cancel_hold', 99.00, null, '{HOLDS[2]}', 'payment', interval '4 days', null),
    (null, 'topup', 20.00, null, null, 'topup:SPRING', interval '49 hours', 'a'),
    (null, 'topup', 3.00, null, null, 'topup:SPRING', interval '49 hours', 'unsure'),
    (null, 'chargeoff', 5.00, 'order-2', null, 'import:till', interval '48 hours 5 minutes', 'b'),
    (null, 'chargeoff', 5.00, 'till-9', null, 'transactions', interval '48 hours', 'c')
) as planted (id, kind, amount, order_id, hold, source, at, key);
insert into wallet.operation_event (operation_id, sequence, state, occurred_at, basis)
select operation_id, 1, case when idempotency_key = 'unsure' then 'unknown' else 'confirmed' end, requested_at,
    case when idempotency_key is distinct from 'unsure' then 'report' end
from wallet.operation order by kind = 'cancel_hold';
insert into wallet.payment_order (organization_id, order_id, state, amount, state_at)
values ('{ONE}', 'order-1', 'failed', 40, now() - interval '4 days');
insert into wallet.finding (rule, subject, organization_id, customer_id, wallet_id, hold_id, amount_at_risk, severity, first_seen_at,
    last_seen_at)
select rule, '{HOLDS[0]}', '{ONE}', '{customer_id(1)}', '{WALLET}', '{HOLDS[0]}', 40, severity, now() - interval '3 days', now()
from (values ('stale_hold', 'medium'), ('order_failed_hold_open', 'high')) as planted (rule, severity);
insert into wallet.finding_version (finding_id, version, as_of, status, severity, reason)
select finding_id, 1, first_seen_at, 'open', severity, 'opened' from wallet.finding;
insert into wallet.finding_evaluation (organization_id, as_of, thresholds, first_evaluated_at, evaluated_at)
select '{ONE}', at, '{{}}', at, at from generate_series(now() - interval '3 days', now(), interval '12 hours') as at;
"""


def plant(warehouse: Warehouse) -> None:
    """Write it all, and add up the days as the DAG does."""
    for part in (MIRROR, SYNC, MONEY):
        with warehouse.transaction("plant") as cursor:
            cursor.execute(part)
    keep_daily_balance(warehouse, at_most=1000)
