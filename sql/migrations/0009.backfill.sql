-- depends: 0008.due-order
-- Backfills: a chosen set of identities to refresh once, behind scheduled work.

create table sync.backfill (
    backfill_id bigint generated always as identity primary key,
    run_id text not null unique,
    criteria jsonb not null,
    requested bigint not null default 0,
    calls_per_minute numeric check (calls_per_minute > 0),
    started_at timestamptz not null default now(),
    finished_at timestamptz
);
comment on table sync.backfill is 'Backfills that were started from syrve_backfill: what was asked for, and how far it got.';
comment on column sync.backfill.backfill_id is 'Number of the backfill.';
comment on column sync.backfill.run_id is 'Airflow''s run id.';
comment on column sync.backfill.criteria is 'What was chosen: organizations, not_refreshed_since, force, and how many identities were named; holds no identity.';
comment on column sync.backfill.requested is 'Identities chosen.';
comment on column sync.backfill.calls_per_minute is 'Cap that the form set on its calls; null is none of its own.';
comment on column sync.backfill.started_at is 'When it was planned.';
comment on column sync.backfill.finished_at is 'When none of its identities was left to look up; null while it works.';

alter table sync.roster add column backfill_id bigint;
comment on column sync.roster.backfill_id is 'Backfill that still has to look this identity up; null is none. Any look-up clears it.';
create index roster_backfill on sync.roster (backfill_id, organization_id) where backfill_id is not null;

alter table sync.call_budget add column pull_at timestamptz not null default '-infinity';
comment on column sync.call_budget.pull_at is 'When a scheduled pull last took a permit.';
alter table sync.call_budget add column next_backfill_at timestamptz not null default '-infinity';
comment on column sync.call_budget.next_backfill_at is 'Moment until which backfills have used up what is left to them.';

do $$
begin
    if exists (select from pg_roles where rolname = 'syrve_loader') then
        grant select, insert, update on sync.backfill to syrve_loader;
        grant usage on all sequences in schema sync to syrve_loader;
    end if;
    if exists (select from pg_roles where rolname = 'syrve_ops') then
        grant select on sync.backfill to syrve_ops;
    end if;
end
$$;
