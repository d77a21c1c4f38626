-- depends: 0019.freshness
-- Views that answer what analysts ask: balances by day, holds, changes and movements of money, orders, pushes, rejects, runs and coupons. Each says
-- in its comment what one row is, which columns are its key, and what it joins with.

create table syrve.daily_balance (
    organization_id uuid not null,
    day date not null,
    wallet_type text not null,
    is_deleted boolean not null,
    wallets bigint not null check (wallets >= 0),
    customers bigint not null check (customers >= 0),
    balance numeric not null,
    as_of timestamptz not null,
    is_final boolean not null,
    primary key (organization_id, day, wallet_type, is_deleted)
);
comment on table syrve.daily_balance is
'Balances at the end of each day, added up from the history by each plan of syrve_customers (sql/analytics/daily_balance.sql); read analytics.daily_balance.';
comment on column syrve.daily_balance.organization_id is 'Organization that knows the customers.';
comment on column syrve.daily_balance.day is 'Day in the time zone of the organization.';
comment on column syrve.daily_balance.wallet_type is 'Type of the wallets in one word: deposit, bonus, product, discount or certificate; unknown for a number that is none of these.';
comment on column syrve.daily_balance.is_deleted is 'Whether the owners counted as deleted at that moment: their wallets are as last seen, and may live on with whom they were merged.';
comment on column syrve.daily_balance.wallets is 'Wallets of this type that were known.';
comment on column syrve.daily_balance.customers is 'Customers who had such a wallet.';
comment on column syrve.daily_balance.balance is 'Their balances together.';
comment on column syrve.daily_balance.as_of is 'Moment that the figures hold for: the last one of the day; for a day that still runs, the latest plan.';
comment on column syrve.daily_balance.is_final is 'Whether the day was over for an hour when it was added up: it is not added up again.';

create view analytics.daily_balance as
select
    daily.organization_id,
    daily.day,
    daily.wallet_type,
    coalesce(known.is_money, false) as is_money,
    daily.is_deleted,
    daily.wallets,
    daily.customers,
    daily.balance,
    true as is_observed,
    daily.as_of,
    daily.is_final
from syrve.daily_balance as daily
left join syrve.wallet_type as known on daily.wallet_type = known.name
union all
select
    organization.organization_id,
    unseen.day::date as day,
    known.name as wallet_type,
    known.is_money,
    false as is_deleted,
    null as wallets,
    null as customers,
    null as balance,
    false as is_observed,
    null as as_of,
    false as is_final
from (
    select
        listed.organization_id,
        coalesce(
            (select min(daily.day) from syrve.daily_balance as daily where daily.organization_id = listed.organization_id),
            (now() at time zone listed.time_zone)::date + 1
        ) as first_day
    from syrve.organization as listed
) as organization
cross join syrve.wallet_type as known
cross join
    lateral generate_series(
        (organization.first_day - 400)::timestamp, (organization.first_day - 1)::timestamp, interval '1 day'
    ) as unseen (day);
comment on view analytics.daily_balance is
'Balances at the end of each day. What was before the first pull is unknown and not 0: those days (400 of them) have is_observed = false and no figures. '
'While the first pull lasts, the figures cover whom it has reached. Organizations of one network share wallets: do not add those up. '
'One row per organization, day, wallet type and whether the customers are deleted. Key: organization_id, day, wallet_type, is_deleted. '
'Joins: organization (organization_id).';
comment on column analytics.daily_balance.is_money is 'Whether the balance is money: deposit, bonus and certificate. Products are pieces, discounts percent.';
comment on column analytics.daily_balance.is_observed is 'Whether the customers had been looked up by then; if not, the figures are null.';

create view analytics.open_hold as
select
    hold.hold_id,
    hold.organization_id,
    hold.customer_id,
    hold.wallet_id,
    hold.amount,
    -- Some tills call an order by the phone or the name of its guest. Here and below such an order has a keyed hash for a name.
    case
        when hold.order_id ~ '^[[:xdigit:]]{8}(-[[:xdigit:]]{4}){3}-[[:xdigit:]]{12}$' then hold.order_id
        when hold.order_id !~ '[^ -?A-~]' and hold.order_id !~ '([0-9][^0-9]*){10}' then hold.order_id
        else
            (
                select 'hidden ' || encode(sha256(hash_key.key || sha256(hash_key.key || convert_to('order:' || hold.order_id, 'UTF8'))), 'hex')
                from secret.hash_key as hash_key
            )
    end as order_id,
    hold.source,
    hold.observed as is_by_others,
    hold.state as outcome,
    hold.opened_at,
    coalesce(finding.rules, '{}') as rules,
    finding.severity,
    finding.dangling_since
from wallet.open_hold as hold
left join lateral (
    select
        array_agg(known.rule order by known.rule) as rules,
        (array['low', 'medium', 'high', 'critical'])[max(array_position(array['low', 'medium', 'high', 'critical'], known.severity))] as severity,
        min(known.first_seen_at) as dangling_since
    from wallet.finding as known
    where known.hold_id = hold.hold_id and known.resolved_at is null
) as finding on true;
comment on view analytics.open_hold is
'Holds that set money aside now, or may, with what reconciliation says of each. One row per open hold. Key: hold_id. '
'Joins: organization (organization_id), customer (organization_id, customer_id), wallet_balance (organization_id, customer_id, wallet_id), '
'order_balance (organization_id, order_id).';
comment on column analytics.open_hold.is_by_others is 'Whether a till or a site made it, and not the project.';
comment on column analytics.open_hold.outcome is 'State of its last event: confirmed, or sent or unknown, where it may set money aside.';
comment on column analytics.open_hold.rules is 'Rules of the open findings about it; empty: nothing is wrong with it.';
comment on column analytics.open_hold.severity is 'Gravest severity of these findings; null without one.';
comment on column analytics.open_hold.dangling_since is 'Earliest moment as of which one of these findings held; null without one.';

create view analytics.dangling_by_day as
select
    organization.organization_id,
    seen.day::date as day,
    ended.as_of,
    held.open_holds,
    held.open_amount,
    case when evaluated.evaluated_at is not null then held.dangling_holds end as dangling_holds,
    case when evaluated.evaluated_at is not null then held.dangling_amount end as dangling_amount,
    evaluated.evaluated_at is not null as is_evaluated
from syrve.organization as organization
cross join
    -- Of dates it would give moments in the zone of the session.
    lateral generate_series(
        date_trunc('day', now() at time zone organization.time_zone) - interval '400 days',
        date_trunc('day', now() at time zone organization.time_zone),
        interval '1 day'
    ) as seen (day)
cross join
    lateral (
        select
            least(ends.at - interval '1 microsecond', now()) as as_of,
            ends.at
        from (select (seen.day + interval '1 day') at time zone organization.time_zone as at) as ends
    ) as ended
left join lateral (
    select max(evaluation.as_of) as evaluated_at
    from wallet.finding_evaluation as evaluation
    where
        evaluation.organization_id = organization.organization_id
        -- As of midnight is as of the end of the day before.
        and evaluation.as_of > seen.day at time zone organization.time_zone
        and evaluation.as_of <= ended.at
) as evaluated on true
cross join lateral (
    select
        count(*) as open_holds,
        coalesce(sum(hold.amount), 0) as open_amount,
        count(*) filter (where found.is_dangling) as dangling_holds,
        coalesce(sum(hold.amount) filter (where found.is_dangling), 0) as dangling_amount
    from wallet.hold as hold
    cross join
        lateral (
            select exists(
                select
                from wallet.finding as finding
                cross join
                    lateral (
                        select version.status
                        from wallet.finding_version as version
                        where version.finding_id = finding.finding_id and version.as_of <= ended.at
                        order by version.as_of desc, version.version desc
                        limit 1
                    ) as latest
                where finding.hold_id = hold.hold_id and latest.status in ('open', 'acknowledged')
            ) as is_dangling
        ) as found
    where
        tstzrange(hold.opened_at, hold.closed_at) @> ended.as_of
        and hold.organization_id = organization.organization_id
) as held;
comment on view analytics.dangling_by_day is
'Money frozen by holds at the end of each of the last 400 days, each hold counted once however many rules found it. Name the days that you want: each '
'is added up when asked. One row per organization and day. Key: organization_id, day. Joins: organization (organization_id).';
comment on column analytics.dangling_by_day.organization_id is 'Organization whose wallets they are.';
comment on column analytics.dangling_by_day.day is 'Day in the time zone of the organization.';
comment on column analytics.dangling_by_day.as_of is 'Moment that the figures hold for: the last one of the day; now, for today.';
comment on column analytics.dangling_by_day.open_holds is 'Holds that set money aside then, or may have.';
comment on column analytics.dangling_by_day.open_amount is 'Their money.';
comment on column analytics.dangling_by_day.dangling_holds is 'Those of them that reconciliation had a finding about; null if it did not run as of that day.';
comment on column analytics.dangling_by_day.dangling_amount is 'Their money; null likewise.';
comment on column analytics.dangling_by_day.is_evaluated is 'Whether syrve_reconcile_holds evaluated a moment of that day.';

create view analytics.wallet_change as
select
    version.organization_id,
    version.customer_id,
    version.wallet_id,
    version.name,
    coalesce(known.name, 'unknown') as wallet_type,
    coalesce(known.is_money, false) as is_money,
    version.balance as balance_before,
    version.balance_after,
    version.balance_after - version.balance as delta,
    version.valid_to as balance_changed_at
from syrve.wallet_balance_version as version
left join syrve.wallet_type as known on version.type = known.type
where version.balance_after <> version.balance;
comment on view analytics.wallet_change is
'Differences between one look at a wallet and the next: several movements between two looks are one change. Wallets that are new, renamed, gone '
'or back after a gap are not in it. One row per change of a balance. Key: organization_id, customer_id, wallet_id, balance_changed_at. '
'Joins: organization (organization_id), customer (organization_id, customer_id), wallet_balance (organization_id, customer_id, wallet_id).';
comment on column analytics.wallet_change.balance_before is 'Balance until then.';
comment on column analytics.wallet_change.balance_after is 'Balance from then on.';
comment on column analytics.wallet_change.delta is 'By how much it rose; negative if it fell.';
comment on column analytics.wallet_change.balance_changed_at is
'Answer that showed the change, which may have happened any time since the look before. Name a period: years outside of it are not read.';

create view analytics.wallet_movement as
select
    -- The id of what a file told is made from its key by a rule that is public, and a key may be a phone: all phones can be tried.
    case
        when starts_with(operation.source, 'import:') and operation.kind <> 'hold'
            then
                (
                    select encode(substr(sha256(hash_key.key || sha256(hash_key.key || uuid_send(operation.operation_id))), 1, 16), 'hex')::uuid
                    from secret.hash_key as hash_key
                )
        else operation.operation_id
    end as movement_id,
    'ledger' as origin,
    operation.organization_id,
    operation.customer_id,
    operation.wallet_id,
    operation.kind,
    null as type_name,
    operation.amount,
    case
        when latest.state <> 'confirmed' then 0
        when operation.kind = 'topup' then operation.amount
        when operation.kind = 'chargeoff' then -operation.amount
        else 0
    end as balance_effect,
    latest.state as outcome,
    latest.basis,
    case
        when operation.order_id ~ '^[[:xdigit:]]{8}(-[[:xdigit:]]{4}){3}-[[:xdigit:]]{12}$' then operation.order_id
        when operation.order_id !~ '[^ -?A-~]' and operation.order_id !~ '([0-9][^0-9]*){10}' then operation.order_id
        else
            (
                select 'hidden ' || encode(sha256(hash_key.key || sha256(hash_key.key || convert_to('order:' || operation.order_id, 'UTF8'))), 'hex')
                from secret.hash_key as hash_key
            )
    end as order_id,
    operation.hold_id,
    operation.source,
    case
        when operation.consumes_hold
            then
                exists (
                    select
                    from wallet.hold as hold
                    where
                        (hold.hold_id = operation.hold_id or hold.transaction_id = operation.hold_id)
                        and hold.closed_by = 'consumed'
                        and hold.closing_operation_id <> operation.operation_id
                )
        when operation.source = 'transactions'
            then
                exists (
                    select
                    from wallet.operation as told
                    where
                        told.organization_id = operation.organization_id
                        and told.customer_id = operation.customer_id
                        and told.wallet_id = operation.wallet_id
                        and told.kind = operation.kind
                        and told.amount = operation.amount
                        and told.source <> 'transactions'
                        and told.requested_at between operation.requested_at - interval '10 minutes' and operation.requested_at + interval '10 minutes'
                )
        else false
    end as is_duplicate,
    operation.requested_at,
    latest.occurred_at as outcome_at
from wallet.operation as operation
left join lateral (
    select
        event.state,
        event.basis,
        event.occurred_at
    from wallet.operation_event as event
    where event.operation_id = operation.operation_id
    order by event.sequence desc
    limit 1
) as latest on true
union all
select
    reported.transaction_id as movement_id,
    'report' as origin,
    reported.organization_id,
    reported.customer_id,
    reported.wallet_id,
    'other' as kind,
    reported.type_name,
    abs(reported.amount) as amount,
    reported.balance_after - reported.balance_before as balance_effect,
    'confirmed' as outcome,
    'report' as basis,
    case
        when reported.pos_order_id ~ '^[[:xdigit:]]{8}(-[[:xdigit:]]{4}){3}-[[:xdigit:]]{12}$' then reported.pos_order_id
        when reported.pos_order_id !~ '[^ -?A-~]' and reported.pos_order_id !~ '([0-9][^0-9]*){10}' then reported.pos_order_id
        else
            (
                select 'hidden ' || encode(sha256(hash_key.key || sha256(hash_key.key || convert_to('order:' || reported.pos_order_id, 'UTF8'))), 'hex')
                from secret.hash_key as hash_key
            )
    end as order_id,
    null as hold_id,
    'transactions' as source,
    coalesce(not repeated.is_second_movement, false) as is_duplicate,
    reported.created_at as requested_at,
    reported.created_at as outcome_at
from wallet.transaction as reported
left join wallet.repeated_transaction as repeated
    on reported.organization_id = repeated.organization_id and reported.transaction_id = repeated.transaction_id
where
    reported.marked_operation_id is null
    and not exists (
        select
        from wallet.operation as taken_in
        where taken_in.source = 'transactions' and taken_in.idempotency_key = reported.transaction_id::text
    )
    and not exists (
        select
        from wallet.hold as hold
        where hold.hold_id = reported.transaction_id or hold.transaction_id = reported.transaction_id
    );
comment on view analytics.wallet_movement is
'Movements of money: the ledger, and what only Syrve''s transactions report shows. Add up balance_effect where not is_duplicate, and name a period of '
'requested_at. What neither tells of is seen in wallet_change only. One row per movement. Key: movement_id, organization_id. '
'Joins: organization (organization_id), customer (organization_id, customer_id), wallet_balance (organization_id, customer_id, wallet_id), '
'order_balance (organization_id, order_id).';
comment on column analytics.wallet_movement.movement_id is
'Id of the operation in the ledger, or of the transaction in the report; of what an import told a keyed hash of that id, which is made from the key of '
'the row.';
comment on column analytics.wallet_movement.origin is 'ledger: recorded by us or handed in by a till or site. report: only Syrve''s report shows it (dialect cloud).';
comment on column analytics.wallet_movement.kind is 'hold, cancel_hold, topup or chargeoff; other for what only the report shows.';
comment on column analytics.wallet_movement.type_name is 'Syrve''s name of the type, of what only the report shows.';
comment on column analytics.wallet_movement.amount is 'Money moved or set aside, above zero; null for a cancellation of which no more than the hold is known.';
comment on column analytics.wallet_movement.balance_effect is
'What it does to the balance once confirmed: a top-up adds, a charge takes; 0 for holds, cancellations and what is not confirmed.';
comment on column analytics.wallet_movement.outcome is 'planned, sent, confirmed, rejected or unknown: see docs/wallet.md.';
comment on column analytics.wallet_movement.basis is 'Why the outcome is believed: answer, report, balance or person; null without one.';
comment on column analytics.wallet_movement.order_id is 'Order that it belongs to; of the source transactions an id of the till. Shown as in order_balance.';
comment on column analytics.wallet_movement.hold_id is 'Hold that it ends or settles.';
comment on column analytics.wallet_movement.source is 'Who asked for it: payment, topup:CAMPAIGN, import:NAME, transactions, ...';
comment on column analytics.wallet_movement.is_duplicate is
'Whether another row tells of the same movement: the report of what a till handed in too, a second report of one hold''s consumption, or a row of the '
'report that may repeat an operation of ours.';
comment on column analytics.wallet_movement.requested_at is 'When it was asked for, by the clock of the one who asked; of the report, when it happened.';
comment on column analytics.wallet_movement.outcome_at is 'When its present outcome came about.';

-- As the owner, because the balance of an order is added up from the ledger by a function, and analysts read nothing of the ledger beside views.
-- Analysts may call it, so it wants a proof that only the view has: else they could ask whether an order is called by a phone that they know.
create function analytics.order_balance_of(organization uuid, named_order text, proof text) returns setof wallet.order_balance
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select known.*
    from wallet.order_balance as known
    where
        known.organization_id = organization
        and known.order_id = named_order
        and proof = (
            select encode(sha256(hash_key.key || sha256(hash_key.key || convert_to('order balance:' || named_order, 'UTF8'))), 'hex')
            from secret.hash_key as hash_key
        )
$$;
comment on function analytics.order_balance_of(uuid, text, text) is
'The row of wallet.order_balance of one order, for the view analytics.order_balance only: without the proof that it gives there is no row.';

create view analytics.order_balance as
select
    known.organization_id,
    case
        when known.order_id ~ '^[[:xdigit:]]{8}(-[[:xdigit:]]{4}){3}-[[:xdigit:]]{12}$' then known.order_id
        when known.order_id !~ '[^ -?A-~]' and known.order_id !~ '([0-9][^0-9]*){10}' then known.order_id
        else
            (
                select 'hidden ' || encode(sha256(hash_key.key || sha256(hash_key.key || convert_to('order:' || known.order_id, 'UTF8'))), 'hex')
                from secret.hash_key as hash_key
            )
    end as order_id,
    balance.state,
    balance.state_at,
    balance.expected,
    balance.held,
    balance.open_amount,
    balance.charged,
    balance.consumed,
    balance.refunded,
    balance.unpaid,
    balance.not_given_back,
    balance.refunded_too_much,
    balance.sources
from (
    select
        payment_order.organization_id,
        payment_order.order_id
    from wallet.payment_order as payment_order
    union
    select
        operation.organization_id,
        operation.order_id
    from wallet.operation as operation
    where operation.order_id is not null and operation.source <> 'transactions'
) as known
cross join secret.hash_key as proof_key
cross join lateral analytics.order_balance_of(
    known.organization_id,
    known.order_id,
    encode(sha256(proof_key.key || sha256(proof_key.key || convert_to('order balance:' || known.order_id, 'UTF8'))), 'hex')
) as balance;
comment on view analytics.order_balance is
'What was set aside, taken and given back for each order, all wallets together. Ask for one order or a few: each is added up from the ledger. '
'One row per order. Key: organization_id, order_id. Joins: organization (organization_id).';

comment on column analytics.order_balance.order_id is
'The order''s id as its order service or till gives it; hidden and a keyed hash in place of one that may be a phone, an e-mail address or a name: with ten digits '
'or more, an @, or letters beyond A to Z. Ids in the form of a UUID are always shown.';
comment on column analytics.open_hold.order_id is 'Order that it was made for, shown as in order_balance.';

create view analytics.shared_phone as
select
    masked.phone_hash,
    masked.organization_id,
    masked.customer_id
from secret.customer_masked as masked
where
    masked.is_current
    and not masked.is_deleted
    and exists (
        select
        from syrve.customer as other
        where
            other.phone = masked.phone
            and other.organization_id <> masked.organization_id
            and not other.is_deleted
    );
comment on view analytics.shared_phone is
'Customers whose phone leads to a customer of another organization too, deleted ones left out: the same as comparing phone_hash, without hashing '
'all customers. One row per customer of an organization. Key: organization_id, customer_id. '
'Joins: organization (organization_id), customer (organization_id, customer_id).';

create view analytics.push_outcome as
select
    tried.push_id,
    tried.run_id,
    tried.plan_id,
    tried.crm_id,
    tried.organization_id,
    tried.customer_id,
    tried.step,
    tried.operation,
    array(select distinct split_part(one.field, ':', 1) as field from unnest(tried.fields) as one (field) order by field) as fields,
    tried.outcome,
    tried.status,
    tried.code,
    tried.requests,
    tried.seconds,
    tried.attempted_at
from crm.push as tried;
comment on view analytics.push_outcome is
'Attempts to push what the CRM wants, with their outcomes: names of fields, never a value. One row per attempt. Key: push_id. '
'Joins: organization (organization_id), customer (organization_id, customer_id).';
comment on column analytics.push_outcome.fields is 'Names of the fields that were sent; category, card or program for a membership, without its id.';

create view analytics.reject_summary as
select
    organization_id,
    entity,
    stage,
    reason,
    count(*) filter (where resolved_at is null) as open_rejects,
    count(*) filter (where resolved_at is not null) as resolved_rejects,
    sum(occurrences) as occurrences,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at
from sync.reject
group by organization_id, entity, stage, reason;
comment on view analytics.reject_summary is
'What could not be imported, counted by reason. One row per organization, entity, stage and reason. Key: organization_id, entity, stage, reason. '
'Joins: organization (organization_id).';
comment on column analytics.reject_summary.organization_id is 'Organization concerned; null if it is not known.';
comment on column analytics.reject_summary.open_rejects is 'Records or fields that are still waiting.';
comment on column analytics.reject_summary.resolved_rejects is 'Those that came right later, or that a person closed.';
comment on column analytics.reject_summary.occurrences is 'How many times they came, all together.';
comment on column analytics.reject_summary.first_seen_at is 'First time of any of them.';
comment on column analytics.reject_summary.last_seen_at is 'Last time of any of them.';

create view analytics.run as
select
    run_id,
    split_part(task, '.', 1) as dag_id,
    substr(task, strpos(task, '.') + 1) as task_id,
    map_index,
    requested,
    found,
    not_found,
    changed,
    unchanged,
    rejected,
    failed,
    held_back,
    cleaned,
    calls,
    retries,
    rate_limited,
    seconds,
    started_at,
    updated_at
from sync.run;
comment on view analytics.run is
'What the tasks of the DAG runs did, in counts. One row per task of a run, each mapped one on its own. Key: run_id, dag_id, task_id, map_index.';
comment on column analytics.run.dag_id is 'Id of the DAG.';
comment on column analytics.run.task_id is 'Id of the task.';

create view analytics.coupon_series_usage as
select
    coalesce(series.organization_id, used.organization_id) as organization_id,
    coalesce(series.series_id, used.series_id) as series_id,
    coalesce(series.name, used.series_name) as name,
    series.is_activated,
    series.gone_at is not null as is_deleted,
    series.gone_at as deleted_at,
    series.series_id is not null as is_listed,
    coalesce(used.coupons, 0) as coupons,
    coalesce(used.valid_coupons, 0) as valid_coupons,
    coalesce(used.used_coupons, 0) as used_coupons,
    coalesce(used.expired_coupons, 0) as expired_coupons,
    coalesce(used.deleted_coupons, 0) as deleted_coupons,
    round(used.used_coupons::numeric / used.coupons, 4) as used_share,
    used.last_used_at,
    used.oldest_check_at
from syrve.coupon_series as series
full join (
    select
        organization_id,
        series_id,
        max(series_name) as series_name,
        count(*) as coupons,
        count(*) filter (where verdict = 'valid') as valid_coupons,
        count(*) filter (where verdict = 'used') as used_coupons,
        count(*) filter (where verdict = 'expired') as expired_coupons,
        count(*) filter (where verdict = 'deleted') as deleted_coupons,
        max(activated_at) as last_used_at,
        min(checked_at) as oldest_check_at
    from syrve.coupon
    where series_id <> '00000000-0000-0000-0000-000000000000'
    group by organization_id, series_id
) as used on series.organization_id = used.organization_id and series.series_id = used.series_id;
comment on view analytics.coupon_series_usage is
'Coupon series, live and vanished, and how the watched coupons of each were used; coupons that are not watched are not counted. '
'One row per series of an organization. Key: organization_id, series_id. '
'Joins: organization (organization_id), coupon_series (organization_id, series_id).';
comment on column analytics.coupon_series_usage.name is 'Name of the series.';
comment on column analytics.coupon_series_usage.is_deleted is 'Whether the latest complete listing no longer had the series.';
comment on column analytics.coupon_series_usage.deleted_at is 'First complete listing that no longer had the series; null while it is offered.';
comment on column analytics.coupon_series_usage.is_listed is 'Whether any listing ever had the series; if not, only its coupons name it.';
comment on column analytics.coupon_series_usage.coupons is 'Watched coupons of the series.';
comment on column analytics.coupon_series_usage.valid_coupons is 'Those that can still be used.';
comment on column analytics.coupon_series_usage.used_coupons is 'Those that were used.';
comment on column analytics.coupon_series_usage.expired_coupons is 'Those whose time is over.';
comment on column analytics.coupon_series_usage.deleted_coupons is 'Those that Syrve deleted.';
comment on column analytics.coupon_series_usage.used_share is 'used_coupons over coupons, between 0 and 1; null without a watched coupon.';
comment on column analytics.coupon_series_usage.last_used_at is 'When the latest of them was used.';
comment on column analytics.coupon_series_usage.oldest_check_at is 'How old the figures are: the moment of the oldest look at one of the coupons.';

comment on column analytics.run.rejected is 'Records that could not be imported; reject_summary counts them by reason.';
comment on column analytics.run.held_back is 'Look-ups whose answer was held back, since too many customers would have been gone at once; people decide about them.';

-- Columns that say nothing yet say what they say in the table that they come from.
do $$
declare
    described record;
begin
    for described in
        select
            viewed.oid::regclass as relation,
            attribute.attname as column_name,
            col_description(origin.oid, source.attnum) as description
        from (
            values
            ('daily_balance', 'syrve.daily_balance'), ('open_hold', 'wallet.hold'), ('wallet_change', 'syrve.wallet_balance'),
            ('wallet_change', 'analytics.wallet_balance'), ('wallet_movement', 'wallet.operation'), ('order_balance', 'wallet.order_balance'),
            ('push_outcome', 'crm.push'), ('shared_phone', 'analytics.customer'), ('reject_summary', 'sync.reject'), ('run', 'sync.run'), ('coupon_series_usage', 'syrve.coupon_series')
        ) as pair (view_name, origin)
        inner join pg_class as viewed on viewed.relname = pair.view_name and viewed.relnamespace = 'analytics'::regnamespace
        inner join pg_class as origin on origin.oid = pair.origin::regclass
        inner join pg_attribute as attribute on viewed.oid = attribute.attrelid and attribute.attnum > 0
        inner join pg_attribute as source on origin.oid = source.attrelid and attribute.attname = source.attname
        where col_description(viewed.oid, attribute.attnum) is null
    loop
        execute format('comment on column %s.%I is %L', described.relation, described.column_name, described.description);
    end loop;
end
$$;
