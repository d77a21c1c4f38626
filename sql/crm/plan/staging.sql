-- Session-local tables in which a plan is worked out. They empty themselves at each commit.
create temporary table if not exists staging_candidate (crm_id bigint primary key) on commit delete rows;

create temporary table if not exists staging_phone (crm_id bigint primary key, phone text) on commit delete rows;

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
    changed_at timestamptz,
    agreed jsonb not null,
    agreed_version bigint not null,
    pushed jsonb
) on commit delete rows;

create temporary table if not exists staging_same (crm_id bigint primary key, fields jsonb not null) on commit delete rows;

create temporary table if not exists staging_wish (
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
    primary key (crm_id, key)
) on commit delete rows;
