-- Session-local tables that a chunk of operations or orders is copied into; they empty themselves at each commit.
create temporary table if not exists staging_operation (
    place integer not null,
    operation_id uuid not null,
    kind text not null,
    organization_id uuid not null,
    customer_id uuid,
    wallet_id uuid,
    amount numeric,
    order_id text,
    hold_id uuid,
    comment text,
    source text not null,
    requested_at timestamptz not null,
    consumes_hold boolean not null,
    idempotency_key text not null,
    fingerprint bytea not null,
    refund_of uuid,
    state text not null,
    evidence jsonb not null,
    basis text not null
) on commit delete rows;

create temporary table if not exists staging_order (
    organization_id uuid not null,
    order_id text not null,
    state text not null,
    amount numeric,
    state_at timestamptz not null,
    source text not null,
    turn integer not null
) on commit delete rows;

create temporary table if not exists staging_person (
    place integer not null,
    organization_id uuid not null,
    customer_id uuid,
    phone text,
    wallet_id uuid
) on commit delete rows;
