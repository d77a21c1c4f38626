-- depends: 0022.quality
-- What the Syrve page needs: who did what on it, counts that are too dear to be taken for each viewer, and indexes that keep its queries short.

create table sync.audit (
    audit_id bigint generated always as identity primary key,
    user_id text not null check (user_id <> ''),
    user_name text not null,
    action text not null check (action <> ''),
    subject jsonb not null default '{}' check (jsonb_typeof(subject) = 'object'),
    done_at timestamptz not null default clock_timestamp()
);
create index audit_at on sync.audit (done_at);
comment on table sync.audit is
'What people did on the Syrve page: changes, runs that they started, and each view of personal values in clear; append-only.';
comment on column sync.audit.audit_id is 'Number of the entry.';
comment on column sync.audit.user_id is 'Id of the user in Airflow.';
comment on column sync.audit.user_name is 'Name of the user in Airflow.';
comment on column sync.audit.action is 'What was done, such as `resolve rejects`.';
comment on column sync.audit.subject is 'To what it was done: ids and counts, never a personal value.';
comment on column sync.audit.done_at is 'When.';

create table sync.freshness_kept (
    organization_id uuid primary key,
    counted_at timestamptz not null,
    identities bigint not null,
    found bigint not null,
    not_found bigint not null,
    rejected bigint not null,
    failed bigint not null,
    never_checked bigint not null,
    overdue bigint not null,
    fresher_than_1h bigint not null,
    fresher_than_24h bigint not null,
    fresher_than_7d bigint not null,
    interval_up_to_1h bigint not null,
    interval_up_to_1d bigint not null,
    interval_up_to_7d bigint not null,
    interval_up_to_30d bigint not null,
    interval_over_30d bigint not null,
    oldest interval,
    longest_overdue interval,
    expected_mean_delay interval,
    expected_mean_age interval,
    promised_max_age interval,
    keeps_max_age boolean,
    lookups_per_day double precision,
    calls_per_minute numeric
);
comment on table sync.freshness_kept is
'The row of analytics.sync_freshness of each organization as it was when syrve_customers was planned last: the page shows it without counting.';
comment on column sync.freshness_kept.organization_id is 'Organization.';
comment on column sync.freshness_kept.counted_at is 'When it was counted; times and shares are as of then.';

-- Columns say what they say in the view.
do $$
declare
    described record;
begin
    for described in
        select kept.attname as column_name, col_description(source.attrelid, source.attnum) as description
        from pg_attribute as kept
        inner join pg_attribute as source on source.attrelid = 'analytics.sync_freshness'::regclass and kept.attname = source.attname
        where
            kept.attrelid = 'sync.freshness_kept'::regclass
            and kept.attnum > 0
            and col_description(kept.attrelid, kept.attnum) is null
    loop
        execute format('comment on column sync.freshness_kept.%I is %L', described.column_name, described.description);
    end loop;
end
$$;

create index run_updated on sync.run (updated_at);
create index reject_open_newest on sync.reject (reject_id) where resolved_at is null;
create index approval_asked on sync.approval (asked_at);
create index push_plan_summary_planned on crm.push_plan_summary (planned_at);
create index conflict_waiting on crm.conflict (conflict_id) where closed_at is null;
