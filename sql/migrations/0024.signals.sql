-- depends: 0023.page
-- What the live service says by itself (dialect cloud): order events, notifications of balances, and the order feed. A signal is a hint: it makes
-- a customer due, and the look-up establishes the state.

create table sync.signal_secret (
    organization_id uuid not null,
    secret_hash bytea not null check (octet_length(secret_hash) = 32),
    used_for text not null default 'webhooks' check (used_for in ('webhooks', 'notifications')),
    made_at timestamptz not null default clock_timestamp(),
    retired_at timestamptz,
    primary key (organization_id, secret_hash)
);
comment on table sync.signal_secret is
'With which secrets senders may signal for an organization: of each only the SHA-256. Several at once while one takes the place of another.';
comment on column sync.signal_secret.organization_id is 'Organization that the sender may speak for.';
comment on column sync.signal_secret.secret_hash is 'SHA-256 of the secret, which is random: the hash does not lead back to it.';
comment on column sync.signal_secret.used_for is
'What was given it: webhooks of orders, or notifications of balances. A new one takes the place of the others that are used for the same.';
comment on column sync.signal_secret.made_at is 'When it was made, or came into force again.';
comment on column sync.signal_secret.retired_at is 'From then on it is refused; null while it is good.';

create function sync.date_secret() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    new.made_at := clock_timestamp();
    return new;
end
$$;
comment on function sync.date_secret() is 'Makes a secret that comes into force again the newest.';

create trigger made_again before update on sync.signal_secret
for each row when (old.retired_at is not null and new.retired_at is null) execute function sync.date_secret();

create table sync.signal (
    signal_id bigint generated always as identity primary key,
    content_key bytea not null unique check (octet_length(content_key) = 32),
    organization_id uuid not null,
    kind text not null check (kind in ('balance', 'order_open', 'order_completed', 'order_cancelled', 'order_failed', 'order_other', 'reserve', 'other')),
    event_type text not null check (event_type <> ''),
    channel text not null check (channel in ('webhook', 'feed')),
    event_at timestamptz,
    received_at timestamptz not null default clock_timestamp(),
    customer_id uuid,
    phone text,
    order_id uuid,
    external_number text,
    amount numeric check (amount >= 0 and amount < 'infinity'),
    wallet_id uuid,
    change numeric check (change > '-infinity' and change < 'infinity'),
    balance numeric check (balance > '-infinity' and balance < 'infinity'),
    change_type text,
    order_number text,
    field_names text[],
    taken_at timestamptz,
    identity_kind text check (identity_kind in ('phone', 'id', 'card', 'card_number')),
    identity_value text,
    is_followed boolean,
    is_new boolean,
    evaluated_at timestamptz,
    looked_at timestamptz,
    led_to_change boolean,
    check (taken_at is not null or (identity_value is null and is_followed is null and evaluated_at is null)),
    -- The role that adds signals is reached from outside: what it is made to add stays small and in this world.
    constraint signal_is_small check (
        length(concat_ws('', event_type, phone, external_number, change_type, order_number)) <= 1000 and cardinality(field_names) <= 100
        and length(array_to_string(field_names, '')) <= 10000
    ),
    constraint signal_has_a_time_of_this_world check (event_at between '2000-01-01' and '2200-01-01')
);
create index signal_waiting on sync.signal (organization_id, signal_id) where taken_at is null;
create index signal_followed on sync.signal (organization_id, identity_kind, identity_value) where is_followed and evaluated_at is null;
create index signal_customer on sync.signal (organization_id, customer_id) where customer_id is not null;
create index signal_received_at on sync.signal using brin (received_at);
comment on table sync.signal is
'What senders reported, of each event only what is needed: no body, no name, no address. Kept for days only (docs/privacy.md). Holds personal data.';
comment on column sync.signal.signal_id is 'Number in the order of arrival.';
comment on column sync.signal.content_key is 'SHA-256 of what was reported, without secrets and tracing ids: the same report twice is one row.';
comment on column sync.signal.organization_id is 'Organization whose secret the sender had.';
comment on column sync.signal.kind is
'What it is about: balance; order_open, order_completed, order_cancelled, order_failed (by the state of the order), order_other; reserve; other (unknown events).';
comment on column sync.signal.event_type is 'As the sender calls it.';
comment on column sync.signal.channel is 'webhook: it was sent to us; feed: syrve_orders read it.';
comment on column sync.signal.event_at is 'When it happened, as the sender says; later than received_at if their clock is ahead.';
comment on column sync.signal.received_at is 'When we got it.';
comment on column sync.signal.customer_id is 'Customer concerned, as the sender says.';
comment on column sync.signal.phone is 'Phone of the customer; null as soon as the signal is taken (taken_at), followed or not.';
comment on column sync.signal.order_id is 'Syrve''s id of the order.';
comment on column sync.signal.external_number is 'The number that a site or an app gave the order.';
comment on column sync.signal.amount is 'What the order takes from wallets: the sum of its payments by loyalty card; null where it does not say.';
comment on column sync.signal.wallet_id is 'Wallet whose balance changed.';
comment on column sync.signal.change is 'By how much it changed; the sign is the sender''s.';
comment on column sync.signal.balance is 'Balance after that.';
comment on column sync.signal.change_type is 'Syrve''s name of the movement.';
comment on column sync.signal.order_number is 'Number of the order at the till.';
comment on column sync.signal.field_names is 'Of an unknown event the names of its fields, so that it can be told what it was; no values.';
comment on column sync.signal.taken_at is 'When a run took it: its customer was made due, or it was left out; null while it waits.';
comment on column sync.signal.identity_kind is 'Identity of the roster that it led to.';
comment on column sync.signal.identity_value is 'Its value; null once the signal is evaluated (evaluated_at), unless it is an id.';
comment on column sync.signal.is_followed is 'Whether it made the identity due; false where signals of this kind have led to nothing before.';
comment on column sync.signal.is_new is 'Whether it brought a customer whom the roster lacked.';
comment on column sync.signal.evaluated_at is 'When it was known what it led to, or a day had passed.';
comment on column sync.signal.looked_at is 'Time of the look-up that followed it.';
comment on column sync.signal.led_to_change is 'Whether that look-up found a change; null where none followed.';

-- As the owner, because the role that adds signals reads no hashes.
create function privacy.drop_erased_signals() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from privacy.erased_key) then
        delete from sync.signal as known
        using added
        where
            known.signal_id = added.signal_id
            and (
                privacy.is_erased(added.organization_id, 'id', added.customer_id::text)
                or privacy.is_erased(added.organization_id, 'phone', added.phone)
                or privacy.names_erased(
                    added.organization_id,
                    concat_ws(' ; ', added.event_type, added.external_number, added.order_number, added.change_type)
                )
            );
    end if;
    return null;
end
$$;
comment on function privacy.drop_erased_signals() is
'Keeps no signal about an erased customer.';

create trigger erased_stay_away after insert on sync.signal
referencing new table as added
for each statement execute function privacy.drop_erased_signals();

create table sync.signal_precision (
    organization_id uuid not null,
    kind text not null,
    whom text not null default 'known' check (whom in ('known', 'id', 'phone')),
    hits real not null default 0,
    trials real not null default 0,
    updated_at timestamptz not null default now(),
    primary key (organization_id, kind, whom)
);
comment on table sync.signal_precision is 'How often signals of each kind led to a change, older ones counting less.';
comment on column sync.signal_precision.organization_id is 'Organization.';
comment on column sync.signal_precision.kind is 'Kind of signal.';
comment on column sync.signal_precision.whom is
'Whom they are about: known (the roster had the customer), or a customer whom the roster lacked, named by id or by phone only.';
comment on column sync.signal_precision.hits is 'Look-ups after such a signal that found a change.';
comment on column sync.signal_precision.trials is 'Look-ups after such a signal.';
comment on column sync.signal_precision.updated_at is 'When it was last counted.';

create function sync.signal_worth(hits double precision, trials double precision) returns double precision
language sql immutable parallel safe
return (coalesce(hits, 0) + 4) / (coalesce(trials, 0) + 5);
comment on function sync.signal_worth(double precision, double precision) is
'Probability that a signal leads to a change: 0.8 before any was looked at.';

create table sync.signal_day (
    organization_id uuid not null,
    kind text not null,
    day date not null,
    received bigint not null default 0,
    followed bigint not null default 0,
    new_customers bigint not null default 0,
    looked bigint not null default 0,
    led_to_change bigint not null default 0,
    delay_seconds double precision not null default 0,
    primary key (organization_id, kind, day)
);
create index signal_day_at on sync.signal_day (day);
comment on table sync.signal_day is 'Counts of signals by day, kept longer than the signals; without names.';
comment on column sync.signal_day.organization_id is 'Organization.';
comment on column sync.signal_day.kind is 'Kind of signal.';
comment on column sync.signal_day.day is 'Day (UTC) on which they came.';
comment on column sync.signal_day.received is 'Signals that came.';
comment on column sync.signal_day.followed is 'Those that made a customer due.';
comment on column sync.signal_day.new_customers is 'Those that brought a customer whom the roster lacked.';
comment on column sync.signal_day.looked is 'Those after which a look-up answered.';
comment on column sync.signal_day.led_to_change is 'Those whose look-up found a change.';
comment on column sync.signal_day.delay_seconds is 'Sum of the times from the signal to its look-up, of those with a change.';

create table sync.signal_flow (
    organization_id uuid not null,
    sort text not null check (sort in ('balance', 'order', 'feed')),
    last_at timestamptz not null,
    unreported double precision not null default 0,
    stopped_at timestamptz,
    is_told boolean not null default true,
    primary key (organization_id, sort)
);
comment on table sync.signal_flow is 'Whether webhooks still come, for each organization and sort that has sent any, and whether the order feed still has orders.';
comment on column sync.signal_flow.organization_id is 'Organization.';
comment on column sync.signal_flow.sort is 'balance: notifications of balances; order: order events; feed: orders that the order feed said had changed.';
comment on column sync.signal_flow.last_at is 'When the last one came; of a feed that never had any, when it was first read.';
comment on column sync.signal_flow.unreported is
'What happened since without one: orders of the feed that are later than that, or changes that look-ups found; of feed: those, and deliveries by webhook.';
comment on column sync.signal_flow.stopped_at is
'Since when they count as stopped: from then on no look-up is left out for their sake (of feed: only where no webhooks come). Null while they come.';
comment on column sync.signal_flow.is_told is 'Whether the channels were told of the last change, stopped or back.';

create table sync.order_bookmark (
    organization_id uuid primary key,
    revision bigint not null,
    read_at timestamptz not null default clock_timestamp(),
    fell_back_at timestamptz
);
comment on table sync.order_bookmark is 'How far the order feed of each organization was read; written with the orders themselves.';
comment on column sync.order_bookmark.organization_id is 'Organization.';
comment on column sync.order_bookmark.revision is 'Revision up to which all orders were read.';
comment on column sync.order_bookmark.read_at is 'When that was.';
comment on column sync.order_bookmark.fell_back_at is 'When the feed last had to be read by date, because the revision was too old or there was none.';

create table wallet.notified_movement (
    organization_id uuid not null,
    content_key bytea not null check (octet_length(content_key) = 32),
    customer_id uuid,
    wallet_id uuid,
    amount numeric,
    balance_after numeric,
    type_name text,
    order_id uuid,
    order_number text,
    basis text not null default 'notification' check (basis = 'notification'),
    moved_at timestamptz not null,
    received_at timestamptz not null,
    looked_at timestamptz,
    balance_seen numeric,
    primary key (organization_id, content_key)
);
create index notified_movement_customer on wallet.notified_movement (organization_id, customer_id, moved_at);
create trigger erased_stay_away before insert on wallet.notified_movement
for each row execute function privacy.put_pseudonym();
comment on table wallet.notified_movement is
'Movements of customers'' money as notifications report them: a hint beside the look-up that follows. No money call rests on it.';
comment on column wallet.notified_movement.organization_id is 'Organization concerned.';
comment on column wallet.notified_movement.content_key is 'Key of the signal that it came with.';
comment on column wallet.notified_movement.customer_id is 'Customer whose money moved.';
comment on column wallet.notified_movement.wallet_id is 'Wallet.';
comment on column wallet.notified_movement.amount is 'Sum as reported; its sign depends on the sender.';
comment on column wallet.notified_movement.balance_after is 'Balance after, as reported.';
comment on column wallet.notified_movement.type_name is 'Syrve''s name of the movement.';
comment on column wallet.notified_movement.order_id is 'Syrve''s id of the order.';
comment on column wallet.notified_movement.order_number is 'Number of the order at the till.';
comment on column wallet.notified_movement.basis is 'Always notification.';
comment on column wallet.notified_movement.moved_at is 'When the money moved, as reported, and never later than it was received.';
comment on column wallet.notified_movement.received_at is 'When we got the notification.';
comment on column wallet.notified_movement.looked_at is 'Time of the look-up that followed; null while there was none.';
comment on column wallet.notified_movement.balance_seen is 'Balance that this look-up saw; equal to balance_after if nothing else moved it since.';

create view analytics.signal_quality as
with reported as (
    select
        organization_id,
        day,
        sum(received)::bigint as received,
        sum(followed)::bigint as followed,
        sum(new_customers)::bigint as new_customers,
        sum(looked)::bigint as looked,
        sum(led_to_change)::bigint as led_to_change,
        sum(delay_seconds) as delay_seconds
    from sync.signal_day
    group by organization_id, day
),

moved as (
    select
        organization_id,
        customer_id,
        changed_at as seen_at
    from syrve.wallet_balance
    where changed_at >= now() - interval '30 days'
    union all
    select
        organization_id,
        customer_id,
        valid_from as seen_at
    from syrve.wallet_balance_version
    where valid_to >= now() - interval '30 days' and valid_from >= now() - interval '30 days'
),

changed as (
    select
        moved.organization_id,
        (moved.seen_at at time zone 'UTC')::date as day,
        count(*) as changes,
        count(*) filter (
            where not exists (
                select
                from sync.signal as reported
                where
                    reported.organization_id = moved.organization_id
                    and reported.customer_id = moved.customer_id
                    and reported.received_at between moved.seen_at - interval '1 day' and moved.seen_at
            )
        ) as changes_without_signal
    from moved
    inner join syrve.customer as customer
        on moved.organization_id = customer.organization_id and moved.customer_id = customer.customer_id
    where moved.seen_at > customer.first_seen_at
    group by moved.organization_id, (moved.seen_at at time zone 'UTC')::date
)

select
    coalesce(reported.organization_id, changed.organization_id) as organization_id,
    organization.name as organization_name,
    coalesce(reported.day, changed.day) as day,
    coalesce(reported.received, 0) as received,
    coalesce(reported.followed, 0) as followed,
    coalesce(reported.new_customers, 0) as new_customers,
    coalesce(reported.looked, 0) as looked,
    coalesce(reported.led_to_change, 0) as led_to_change,
    make_interval(secs => reported.delay_seconds / nullif(reported.led_to_change, 0)) as mean_delay,
    changed.changes,
    changed.changes_without_signal,
    round(changed.changes_without_signal / nullif(changed.changes, 0)::numeric, 4) as missed_share
from reported
full join changed on reported.organization_id = changed.organization_id and reported.day = changed.day
left join syrve.organization as organization on coalesce(reported.organization_id, changed.organization_id) = organization.organization_id;
comment on view analytics.signal_quality is
'What signals were worth, by day (UTC). '
'One row per organization and day with signals or, in the last 30 days, changes of balances. Key: organization_id, day. '
'Joins: organization (organization_id).';
comment on column analytics.signal_quality.organization_id is 'Organization.';
comment on column analytics.signal_quality.organization_name is 'Its name; null until it has been listed.';
comment on column analytics.signal_quality.day is 'Day on which the signals came, or the changes were seen.';
comment on column analytics.signal_quality.received is 'Signals that came; repeated ones count once.';
comment on column analytics.signal_quality.followed is 'Those that made a customer due.';
comment on column analytics.signal_quality.new_customers is 'Those that brought a customer whom the roster lacked.';
comment on column analytics.signal_quality.looked is 'Those after which a look-up has answered.';
comment on column analytics.signal_quality.led_to_change is 'Those whose look-up found a change.';
comment on column analytics.signal_quality.mean_delay is 'Mean time from a signal to its look-up, of those that led to a change.';
comment on column analytics.signal_quality.changes is 'Changes of balances of known customers that were seen; null before the last 30 days.';
comment on column analytics.signal_quality.changes_without_signal is 'Those whose customer had no signal in the 24 hours before.';
comment on column analytics.signal_quality.missed_share is 'Share of the changes that no signal told of.';
