-- Session-local tables in which a plan is made. Who the rows are about is settled in separate transactions, so the first three live as long
-- as the session; the others empty themselves at each commit.
create temporary table if not exists staging_candidate (crm_id bigint primary key);

create temporary table if not exists staging_phone (crm_id bigint primary key, phone text);

create temporary table if not exists staging_standing (
    crm_id bigint primary key,
    standing text not null,
    target_id uuid,
    phone text,
    is_by_mirror boolean not null
);

truncate staging_candidate, staging_phone, staging_standing;

create temporary table if not exists staging_join (
    crm_id bigint primary key,
    kept_id bigint not null,
    fields jsonb not null
) on commit delete rows;

create temporary table if not exists staging_taken (kept_id bigint primary key, fields jsonb not null) on commit delete rows;

create temporary table if not exists staging_mass (
    organization_id uuid not null,
    field text not null,
    looked bigint not null,
    affected bigint not null,
    allowed bigint not null
) on commit delete rows;

create temporary table if not exists staging_held (
    crm_id bigint not null,
    key text not null,
    breaker_id bigint not null,
    wanted text
) on commit delete rows;

create temporary table if not exists staging_due (
    organization_id uuid not null,
    identity_kind text not null,
    identity_value text not null,
    is_added boolean not null,
    primary key (organization_id, identity_kind, identity_value)
) on commit delete rows;

create temporary table if not exists staging_subject (
    crm_id bigint primary key,
    organization_id uuid not null,
    customer_id uuid,
    phone text,
    kind text not null,
    reason text,
    edited_at timestamptz not null,
    memberships_edited_at timestamptz,
    fetched_at timestamptz,
    field_changed_at jsonb,
    look_up_phone text,
    agreed jsonb not null,
    agreed_version bigint not null,
    pushed jsonb
) on commit delete rows;

create temporary table if not exists staging_same (crm_id bigint primary key, fields jsonb not null) on commit delete rows;

create temporary table if not exists staging_field_change (
    crm_id bigint not null,
    key text not null,
    field text not null,
    wanted text,
    has_agreed boolean not null,
    agreed text,
    actual text,
    mirrored text,
    policy text,
    verdict text not null,
    outcome text,
    is_sent boolean not null,
    is_let_through boolean not null default false,
    placeholder text,
    primary key (crm_id, key)
) on commit delete rows;
