-- Session-local table that a chunk of an import is copied into. It empties itself at each commit.
create temporary table if not exists staging_crm (
    line bigint primary key,
    crm_id bigint,
    organization_id uuid not null,
    customer_id uuid,
    phone text,
    name text,
    surname text,
    middle_name text,
    email text,
    birthday date,
    sex text,
    receives_order_status boolean,
    receives_promo boolean,
    clear text[],
    category_id uuid,
    card_track text,
    card_number text,
    program_id uuid,
    wanted boolean not null,
    is_by_phone boolean not null default false,
    is_new boolean not null default false,
    reason text
) on commit delete rows;

-- What the lines of the run have said so far.
create temporary table if not exists staging_crm_said (crm_id bigint primary key, fields jsonb not null);
truncate staging_crm_said;

create temporary table if not exists staging_received_phone (crm_id bigint primary key, received text not null, phone text) on commit delete rows;

-- What the earlier chunks of a dry run have written and taken back.
create temporary table if not exists staging_crm_trial (
    crm_id bigint primary key,
    organization_id uuid not null,
    customer_id uuid,
    phone text,
    written jsonb not null
);
create index if not exists staging_crm_trial_phone on staging_crm_trial (organization_id, phone);
create index if not exists staging_crm_trial_customer on staging_crm_trial (organization_id, customer_id);
truncate staging_crm_trial;
