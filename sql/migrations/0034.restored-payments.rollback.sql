-- As in 0025.
create or replace view wallet.restore_suspect as
with begun as (
    select
        operation.source,
        regexp_replace(operation.idempotency_key, ':[0-9]+$', '') as row_key
    from wallet.operation_state as operation
    where operation.source like 'topup:%' and operation.state <> 'rejected'
),

suspect as (
    select
        'operation' as what,
        open.operation_id::text as key,
        open.kind,
        open.organization_id,
        open.customer_id,
        open.wallet_id,
        open.amount,
        open.source,
        open.state,
        open.planned_at as since
    from wallet.unsettled_operation as open
    where open.settled_at is null
    union all
    select
        'campaign row' as what,
        listed.row_key,
        'topup' as kind,
        listed.organization_id,
        listed.customer_id,
        listed.wallet_id,
        listed.amount,
        'topup:' || listed.campaign as source,
        'to be sent' as state,
        latest.planned_at
    from wallet.campaign_version as latest
    inner join wallet.campaign_row as listed on latest.campaign = listed.campaign and latest.version = listed.version
    left join begun on begun.source = 'topup:' || listed.campaign and listed.row_key = begun.row_key
    where
        not latest.is_given_up
        and not exists (select from wallet.campaign_version as later where later.campaign = latest.campaign and later.version > latest.version)
        and begun.row_key is null
    union all
    select
        'payment' as what,
        due.payment_id::text as key,
        'chargeoff' as kind,
        due.organization_id,
        due.customer_id,
        due.wallet_id,
        due.amount,
        'payment' as source,
        due.state,
        due.begun_at
    from wallet.payment_state as due
    where due.state not in ('paid', 'given_back')
)

select
    suspect.what,
    suspect.key,
    suspect.kind,
    suspect.organization_id,
    suspect.customer_id,
    suspect.wallet_id,
    suspect.amount,
    suspect.source,
    suspect.state,
    suspect.since,
    (
        select max(moved.requested_at)
        from wallet.operation as moved
        where
            moved.organization_id = suspect.organization_id
            and moved.customer_id = suspect.customer_id
            and moved.wallet_id = suspect.wallet_id
            and moved.amount = suspect.amount
            and moved.kind = suspect.kind
            and moved.source = 'transactions'
            and moved.requested_at > suspect.since - wallet.clock_skew()
    ) as reported_at
from suspect;
comment on column wallet.restore_suspect.reported_at is
'When Syrve last moved this amount in this wallet by a transaction that the ledger does not know as its own: then this one was probably carried out. Null shows nothing about holds, of which reports have no separate row.';
