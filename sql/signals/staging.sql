-- Session-local table of the signals that are being worked off; it empties itself at each commit.
create temporary table if not exists staging_signal (
    signal_id bigint not null,
    content_key bytea not null,
    organization_id uuid not null,
    kind text not null,
    channel text not null,
    happened_at timestamptz not null,
    received_at timestamptz not null,
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
    identity_kind text,
    identity_value text,
    is_known boolean not null default false,
    is_followed boolean not null default false
) on commit delete rows;
