-- Keeps signals; one that is known already stays as it is.
insert into sync.signal (
    content_key,
    organization_id,
    kind,
    event_type,
    channel,
    event_at,
    customer_id,
    phone,
    order_id,
    external_number,
    amount,
    wallet_id,
    change,
    balance,
    change_type,
    order_number,
    field_names
)
select
    decode(given.content_key, 'hex') as content_key,
    given.organization_id,
    given.kind,
    given.event_type,
    given.channel,
    given.event_at,
    given.customer_id,
    given.phone,
    given.order_id,
    given.external_number,
    given.amount,
    given.wallet_id,
    given.change,
    given.balance,
    given.change_type,
    given.order_number,
    given.field_names
from
    jsonb_to_recordset(%(signals)s::jsonb) as given (
        content_key text,
        organization_id uuid,
        kind text,
        event_type text,
        channel text,
        event_at timestamptz,
        customer_id uuid,
        phone text,
        order_id uuid,
        external_number text,
        amount numeric,
        wallet_id uuid,
        change numeric,
        balance numeric,
        change_type text,
        order_number text,
        field_names text[]
    )
on conflict do nothing;
