-- Session-local tables that a batch is copied into. They empty themselves at each commit.
create temporary table if not exists staging_lookup (
    organization_id uuid not null,
    identity_kind text not null,
    identity_value text not null,
    outcome text not null,
    customer_id uuid,
    checked_at timestamptz not null,
    last_order_at timestamptz
) on commit delete rows;

create temporary table if not exists staging_digest (
    organization_id uuid not null,
    customer_id uuid not null,
    digest bytea not null,
    fetched_at timestamptz not null
) on commit delete rows;

create temporary table if not exists staging_customer (
    organization_id uuid not null,
    customer_id uuid not null,
    phone text,
    phone_raw text,
    email text,
    name text,
    surname text,
    middle_name text,
    birthday date,
    sex text,
    referrer_id uuid,
    program_id uuid,
    program_name text,
    receives_order_status boolean,
    receives_promo boolean,
    consent_from timestamptz,
    consent_to timestamptz,
    is_deleted boolean not null,
    extra jsonb not null,
    digest bytea not null,
    fetched_at timestamptz not null
) on commit delete rows;

create temporary table if not exists staging_wallet_balance (
    organization_id uuid not null,
    customer_id uuid not null,
    wallet_id uuid not null,
    name text,
    type integer,
    balance numeric not null
) on commit delete rows;

create temporary table if not exists staging_card (
    organization_id uuid not null,
    customer_id uuid not null,
    card_id uuid not null,
    track text,
    number text,
    valid_to timestamptz
) on commit delete rows;

create temporary table if not exists staging_customer_category (
    organization_id uuid not null,
    customer_id uuid not null,
    category_id uuid not null,
    name text,
    is_active boolean,
    is_default_for_new_guests boolean
) on commit delete rows;

create temporary table if not exists staging_merged (
    organization_id uuid not null,
    customer_id uuid not null,
    fetched_at timestamptz not null,
    is_new boolean not null,
    profile_changed boolean not null default false,
    wallet_changed boolean not null default false
) on commit delete rows;

create temporary table if not exists staging_reject (
    entity text not null,
    organization_id uuid,
    identity text not null,
    stage text not null,
    reason text not null,
    payload jsonb
) on commit delete rows;

create temporary table if not exists staging_coupon_series (
    organization_id uuid not null,
    series_id uuid not null,
    name text,
    is_activated boolean,
    discount_type text,
    discount_value numeric,
    seen_at timestamptz not null
) on commit delete rows;

create temporary table if not exists staging_coupon (
    organization_id uuid not null,
    number text not null,
    series_id uuid not null,
    coupon_id uuid,
    series_name text,
    is_used boolean,
    activated_at timestamptz,
    activated_by text,
    not_after timestamptz,
    verdict text not null,
    checked_at timestamptz not null
) on commit delete rows;

create temporary table if not exists staging_roster (
    organization_id uuid not null,
    identity_kind text not null,
    identity_value text not null,
    received_value text,
    priority smallint not null
) on commit delete rows;

create temporary table if not exists staging_gone (
    organization_id uuid not null,
    identity_kind text not null,
    identity_value text not null,
    customer_id uuid not null,
    answer text not null
) on commit delete rows;

create temporary table if not exists staging_absent (
    organization_id uuid not null,
    customer_id uuid not null,
    list text not null
) on commit delete rows;
