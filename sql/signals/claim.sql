-- Takes the signals that wait longest; those that another task is at are passed over. None happened later than it was received.
with waiting as materialized (
    select *
    from sync.signal
    where taken_at is null
    order by signal_id
    limit %(batch_signals)s
    for update skip locked
),

staged as (
    insert into staging_signal (
        signal_id, content_key, organization_id, kind, channel, happened_at, is_dated, received_at, customer_id, phone, order_id, external_number, amount, wallet_id,
        change, balance, change_type, order_number
    )
    select
        signal_id,
        content_key,
        organization_id,
        kind,
        channel,
        least(coalesce(event_at, received_at), received_at) as happened_at,
        event_at is not null as is_dated,
        received_at,
        customer_id,
        phone,
        order_id,
        external_number,
        amount,
        wallet_id,
        change,
        balance,
        change_type,
        order_number
    from waiting
    returning 1
)

select count(*) as signals
from staged;
