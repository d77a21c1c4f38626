-- What the earlier chunks of a dry run have written and taken back.
create temporary table if not exists staging_operation_trial (
    operation_id uuid primary key,
    hold_id uuid,
    idempotency_key text,
    written jsonb not null
);
create index if not exists staging_operation_trial_hold on staging_operation_trial (hold_id);
create index if not exists staging_operation_trial_key on staging_operation_trial (idempotency_key);
truncate staging_operation_trial;

create temporary table if not exists staging_order_trial (
    organization_id uuid not null,
    order_id text not null,
    written jsonb not null,
    primary key (organization_id, order_id)
);
truncate staging_order_trial;
