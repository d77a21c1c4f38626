-- depends: 0012.wallet-release
-- Who was told of which findings: what lets a channel speak once per change, and say later what it could not say.

create table wallet.notification (
    notification_id uuid primary key default gen_random_uuid(),
    channel text not null check (channel <> ''),
    as_of timestamptz not null,
    opened_count integer not null check (opened_count >= 0),
    raised_count integer not null check (raised_count >= 0),
    amount_changed_count integer not null check (amount_changed_count >= 0),
    closed_count integer not null check (closed_count >= 0),
    passed_count integer not null check (passed_count >= 0),
    run_id text,
    sent_at timestamptz not null default clock_timestamp()
);
create index notification_channel on wallet.notification (channel, as_of);
comment on table wallet.notification is
'Messages about findings that a channel took; append-only. One that was sent by a run that died before it wrote this is not here, and is sent again.';
comment on column wallet.notification.notification_id is 'Id of the message.';
comment on column wallet.notification.channel is 'Airflow connection and the place in it, such as syrve_notifications/mailtos.';
comment on column wallet.notification.as_of is 'Moment as of which the findings were evaluated.';
comment on column wallet.notification.opened_count is 'Findings that opened since the channel was last told.';
comment on column wallet.notification.raised_count is 'Findings whose severity rose since.';
comment on column wallet.notification.amount_changed_count is 'Findings whose money at risk changed notably since, their severity not rising.';
comment on column wallet.notification.closed_count is 'Findings that the channel knew as open and that closed since.';
comment on column wallet.notification.passed_count is 'Findings that opened and closed again before the channel could be told.';
comment on column wallet.notification.run_id is 'Airflow''s run that sent it.';
comment on column wallet.notification.sent_at is 'When it was recorded, right after the channel took it.';

create table wallet.finding_told (
    channel text not null check (channel <> ''),
    finding_id uuid not null references wallet.finding on delete cascade,
    version integer not null check (version > 0),
    is_open boolean not null,
    severity text not null,
    amount_at_risk numeric,
    change text not null check (change in ('opened', 'raised', 'amount_changed', 'closed', 'passed')),
    notification_id uuid not null references wallet.notification,
    primary key (channel, finding_id)
);
create index finding_told_finding on wallet.finding_told (finding_id);
create index finding_told_open on wallet.finding_told (channel) where is_open;
create index finding_told_notification on wallet.finding_told (notification_id);
comment on table wallet.finding_told is
'What each channel was last told of each finding. A message tells how the finding differs from this; what a channel did not take is not here, so '
'the next run tells it.';
comment on column wallet.finding_told.channel is 'As in notification.';
comment on column wallet.finding_told.finding_id is 'Finding concerned.';
comment on column wallet.finding_told.version is 'Version of the finding that was told.';
comment on column wallet.finding_told.is_open is 'Whether it was told as open (or acknowledged).';
comment on column wallet.finding_told.severity is 'Severity that was told.';
comment on column wallet.finding_told.amount_at_risk is 'Money at risk that was told; small changes add up against it.';
comment on column wallet.finding_told.change is 'What was said of it: opened, raised, amount_changed, closed, or passed (opened and closed in between).';
comment on column wallet.finding_told.notification_id is 'Message that told it.';
