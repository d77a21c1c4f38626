-- depends: 0010.wallet-as-of
-- What reconciliation found, as it is and as it was, and counts of each moment.

create table wallet.finding (
    finding_id uuid primary key default gen_random_uuid(),
    rule text not null,
    subject text not null,
    organization_id uuid not null,
    customer_id uuid,
    wallet_id uuid,
    hold_id uuid,
    amount_at_risk numeric,
    severity text not null check (severity in ('low', 'medium', 'high', 'critical')),
    evidence jsonb not null default '{}',
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    status text not null default 'open' check (status in ('open', 'acknowledged', 'released', 'resolved')),
    resolved_at timestamptz,
    unique (rule, subject),
    check (first_seen_at <= last_seen_at),
    constraint finding_is_closed_at_a_time check ((status in ('released', 'resolved')) = (resolved_at is not null))
);
create index finding_open on wallet.finding (organization_id, severity, rule) where resolved_at is null;
create index finding_hold on wallet.finding (hold_id) where hold_id is not null;
create index finding_resolved on wallet.finding (organization_id, resolved_at) where resolved_at is not null;
comment on table wallet.finding is 'What reconciliation found: one row per rule and subject, opened once, updated while it holds, closed when it no longer does.';
comment on column wallet.finding.finding_id is 'Id of the finding.';
comment on column wallet.finding.rule is 'Rule that found it: a file of sql/findings.';
comment on column wallet.finding.subject is 'What it is about, by the rule''s own key: a hold, an operation, an order or a wallet.';
comment on column wallet.finding.organization_id is 'Organization concerned.';
comment on column wallet.finding.customer_id is 'Customer concerned.';
comment on column wallet.finding.wallet_id is 'Wallet concerned.';
comment on column wallet.finding.hold_id is 'Hold concerned: operation_id of wallet.hold.';
comment on column wallet.finding.amount_at_risk is 'Money that is set aside, missing or too much, in the wallet''s currency.';
comment on column wallet.finding.severity is 'low, medium, high or critical.';
comment on column wallet.finding.evidence is 'What it rests on: ids of operations, amounts, times; never personal data.';
comment on column wallet.finding.first_seen_at is 'Earliest moment as of which it held.';
comment on column wallet.finding.last_seen_at is 'Latest moment as of which it held.';
comment on column wallet.finding.status is 'open, acknowledged (a person knows), released (its hold was cancelled) or resolved (no longer so).';
comment on column wallet.finding.resolved_at is 'When it was released or no longer held; null while open or acknowledged.';

create table wallet.finding_version (
    finding_id uuid not null references wallet.finding on delete cascade,
    version integer not null check (version > 0),
    as_of timestamptz not null,
    status text not null,
    severity text not null,
    amount_at_risk numeric,
    evidence jsonb not null default '{}',
    reason text not null,
    run_id text,
    recorded_at timestamptz not null default clock_timestamp(),
    recorded_by text not null default session_user,
    primary key (finding_id, version)
);
create index finding_version_at on wallet.finding_version (finding_id, as_of, version);
comment on table wallet.finding_version is 'Every state that a finding was in, with why it changed; append-only.';
comment on column wallet.finding_version.finding_id is 'Finding concerned.';
comment on column wallet.finding_version.version is 'Counts from 1.';
comment on column wallet.finding_version.as_of is 'Moment as of which it was so.';
comment on column wallet.finding_version.status is 'Status of this version.';
comment on column wallet.finding_version.severity is 'Severity of this version.';
comment on column wallet.finding_version.amount_at_risk is 'Money at risk in this version.';
comment on column wallet.finding_version.evidence is 'What this version rests on.';
comment on column wallet.finding_version.reason is 'Why it changed, such as opened, amount changed, closed, or a row that arrived late.';
comment on column wallet.finding_version.run_id is 'Airflow''s run that wrote it.';
comment on column wallet.finding_version.recorded_at is 'When it was written.';
comment on column wallet.finding_version.recorded_by is 'Login of the database that wrote it, or that set the status by hand.';

create table wallet.finding_evaluation (
    organization_id uuid not null,
    as_of timestamptz not null,
    thresholds jsonb not null check (jsonb_typeof(thresholds) = 'object'),
    first_evaluated_at timestamptz not null,
    evaluated_at timestamptz not null,
    run_id text,
    primary key (organization_id, as_of)
);
comment on table wallet.finding_evaluation is 'Moments as of which the findings of an organization were evaluated.';
comment on column wallet.finding_evaluation.organization_id is 'Organization concerned.';
comment on column wallet.finding_evaluation.as_of is 'Moment as of which they hold.';
comment on column wallet.finding_evaluation.thresholds is 'Thresholds by which they were evaluated last.';
comment on column wallet.finding_evaluation.first_evaluated_at is 'When that was done first.';
comment on column wallet.finding_evaluation.evaluated_at is 'When that was done last; a row recorded since then arrived late.';
comment on column wallet.finding_evaluation.run_id is 'Airflow''s run that did it last.';

create table wallet.finding_count (
    organization_id uuid not null,
    as_of timestamptz not null,
    rule text not null,
    severity text not null,
    open_count integer not null,
    open_amount numeric not null,
    opened_count integer not null,
    opened_amount numeric not null,
    closed_count integer not null,
    closed_amount numeric not null,
    run_id text,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (organization_id, as_of, rule, severity),
    foreign key (organization_id, as_of) references wallet.finding_evaluation on delete cascade
);
comment on table wallet.finding_count is
'How many findings were open as of each moment, and what opened and closed since the moment before. No row of a moment that is in '
'finding_evaluation means none.';
comment on column wallet.finding_count.organization_id is 'Organization concerned.';
comment on column wallet.finding_count.as_of is 'Moment as of which it was so.';
comment on column wallet.finding_count.rule is 'Rule of the findings.';
comment on column wallet.finding_count.severity is 'Severity as of then; of closed ones, the last.';
comment on column wallet.finding_count.open_count is 'Findings that were open or acknowledged.';
comment on column wallet.finding_count.open_amount is 'Their money at risk.';
comment on column wallet.finding_count.opened_count is 'Those that were not open as of the moment evaluated before.';
comment on column wallet.finding_count.opened_amount is 'Their money at risk.';
comment on column wallet.finding_count.closed_count is 'Findings that were open as of the moment evaluated before, and no longer.';
comment on column wallet.finding_count.closed_amount is 'Their money at risk as of that moment.';
comment on column wallet.finding_count.run_id is 'Airflow''s run that counted.';
comment on column wallet.finding_count.recorded_at is 'When it was counted last.';

-- noqa: disable=AL03,AL08,RF01,RF03
create function wallet.finding_as_of(moment timestamptz) returns table (
    finding_id uuid,
    rule text,
    subject text,
    organization_id uuid,
    customer_id uuid,
    wallet_id uuid,
    hold_id uuid,
    amount_at_risk numeric,
    severity text,
    evidence jsonb,
    first_seen_at timestamptz,
    status text,
    status_at timestamptz
)
language sql
stable
begin atomic  -- bound when it is made, independent of the caller's search_path
    select
        finding.finding_id,
        finding.rule,
        finding.subject,
        finding.organization_id,
        finding.customer_id,
        finding.wallet_id,
        finding.hold_id,
        latest.amount_at_risk,
        latest.severity,
        latest.evidence,
        (
            select min(version.as_of)
            from wallet.finding_version as version
            where version.finding_id = finding.finding_id and version.as_of <= moment and version.status = 'open'
        ),
        latest.status,
        latest.as_of
    from wallet.finding as finding
    inner join lateral (
        select version.status, version.as_of, version.amount_at_risk, version.severity, version.evidence
        from wallet.finding_version as version
        where version.finding_id = finding.finding_id and version.as_of <= moment
        order by version.as_of desc, version.version desc
        limit 1
    ) as latest on true;
end;
-- noqa: enable=AL03,AL08,RF01,RF03
comment on function wallet.finding_as_of(timestamptz) is
'Findings as they were at a moment, closed ones with the status in which they closed; right for moments in finding_evaluation and after them.';

-- Who sets a status by hand changes the row only; the versions must tell of it too.
-- As the owner, because operations may set a status, and may not write versions beside it.
create function wallet.keep_finding_version() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    latest record;
begin
    select version.version, version.status into latest
    from wallet.finding_version as version
    where version.finding_id = new.finding_id
    order by version.as_of desc, version.version desc
    limit 1;
    if latest.status is distinct from (select finding.status from wallet.finding as finding where finding.finding_id = new.finding_id) then
        insert into wallet.finding_version (finding_id, version, as_of, status, severity, amount_at_risk, evidence, reason)
        select
            finding.finding_id,
            (select coalesce(max(version.version), 0) + 1 from wallet.finding_version as version where version.finding_id = new.finding_id),
            greatest(
                finding.last_seen_at,
                (select max(version.as_of) from wallet.finding_version as version where version.finding_id = new.finding_id)
            ),
            finding.status,
            finding.severity,
            finding.amount_at_risk,
            finding.evidence,
            'set by hand'
        from wallet.finding as finding
        where finding.finding_id = new.finding_id;
    end if;
    return null;
end
$$;
comment on function wallet.keep_finding_version() is 'Writes a version of a finding whose status was changed without one.';

create constraint trigger keep_version after update of status on wallet.finding
deferrable initially deferred
for each row when (old.status is distinct from new.status) execute function wallet.keep_finding_version();
