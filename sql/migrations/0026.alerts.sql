-- depends: 0025.wallet-fence
-- What people are told of besides findings and breakers, and retention of what is only kept to look things up.

create table sync.alert (
    alert_id bigint generated always as identity primary key,
    kind text not null check (kind in ('freshness_promise', 'budget_exhausted', 'dag_failing', 'money_unsettled')),
    subject text not null check (subject <> ''),
    detail text not null,
    began_at timestamptz not null default now(),
    told_at timestamptz,
    ended_at timestamptz,
    end_told_at timestamptz,
    check (end_told_at is null or (told_at is not null and ended_at is not null))
);
create unique index alert_open on sync.alert (kind, subject) where ended_at is null;
create index alert_untold on sync.alert (alert_id) where told_at is null or end_told_at is null;
create index alert_ended on sync.alert (ended_at) where ended_at is not null;
comment on table sync.alert is
'Conditions that people are told of, once when one begins and once when it ends, by the task alert of syrve_balances. One row per time that it held.';
comment on column sync.alert.alert_id is 'Number of the alert.';
comment on column sync.alert.kind is 'Which condition: freshness_promise, budget_exhausted, dag_failing or money_unsettled; see docs/alerts.md.';
comment on column sync.alert.subject is 'What it holds for: an organization, a DAG, an operation, or Syrve.';
comment on column sync.alert.detail is 'What is wrong, in words with ids, counts and times; no personal data.';
comment on column sync.alert.began_at is 'When it was first seen to hold.';
comment on column sync.alert.told_at is 'When a channel took the message that it began; null: not yet.';
comment on column sync.alert.ended_at is 'When it was first seen not to hold any more; null: it holds.';
comment on column sync.alert.end_told_at is 'When a channel took the message that it ended; null for one that was not reported.';

-- As the owner, because the DAGs add alerts and end them, and delete none.
create function sync.prune_alerts(days integer, batch_rows integer) returns bigint
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    with removed as (
        delete from sync.alert as told
        where
            told.alert_id in (
                select old.alert_id
                from sync.alert as old
                where old.ended_at < now() - make_interval(days => greatest($1, 7))
                limit $2
            )
        returning told.alert_id
    )

    select count(*) from removed
$$;
comment on function sync.prune_alerts(integer, integer) is 'Removes alerts that ended more than that many days ago, at least 7.';

-- As the owner, because only the owner may delete from the audit, and nothing younger than a year goes.
create function sync.prune_audit(days integer, batch_rows integer) returns bigint
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    with removed as (
        delete from sync.audit as noted
        where
            noted.audit_id in (
                select old.audit_id
                from sync.audit as old
                where old.done_at < now() - make_interval(days => greatest($1, 365))
                limit $2
            )
        returning noted.audit_id
    )

    select count(*) from removed
$$;
comment on function sync.prune_audit(integer, integer) is 'Removes entries of the audit that are more than that many days old, at least 365.';

-- As the owner, because the DAGs add messages, and delete none. What a channel knows of a finding names its message, which stays as long.
create function wallet.prune_notifications(days integer, batch_rows integer) returns bigint
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    with removed as (
        delete from wallet.notification as sent
        where
            sent.notification_id in (
                select old.notification_id
                from wallet.notification as old
                where
                    old.sent_at < now() - make_interval(days => greatest($1, 7))
                    and not exists (select from wallet.finding_told as known where known.notification_id = old.notification_id)
                    and exists (select from wallet.notification as later where later.channel = old.channel and later.sent_at > old.sent_at)
                limit $2
            )
        returning sent.notification_id
    )

    select count(*) from removed
$$;
comment on function wallet.prune_notifications(integer, integer) is
'Removes messages that were sent more than that many days ago, at least 7: not the last of a channel, and none that it was told an open finding by.';
