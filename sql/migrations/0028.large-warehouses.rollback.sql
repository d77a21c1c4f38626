create or replace function privacy.drop_erased_signals() returns trigger
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

create or replace view analytics.order_balance as
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
alter view analytics.order_balance reset (security_barrier);

drop index wallet.payment_order_hidden;
drop index wallet.operation_order_hidden;
drop index syrve.card_changed_at;

create or replace view sync.refresh_interval as
select
    roster.organization_id,
    roster.identity_kind,
    roster.identity_value,
    roster.priority,
    roster.outcome,
    roster.due_at,
    roster.checked_at,
    roster.active_until,
    roster.changes,
    roster.exposure_days,
    learned.rate_per_day,
    learned.weight,
    1 / (1 + stopped.odds) as still_comes,
    sync.refresh_days(
        learned.weight,
        learned.rate_per_day,
        coalesce(fit.theta, 1),
        coalesce(policy.min_interval_seconds, 900) / 86400.0,
        coalesce(fit.max_interval_days, coalesce(policy.max_age_seconds, 2592000) / 86400.0),
        coalesce(fit.signalled_share, 0)
    ) as interval_days,
    coalesce(fit.signalled_share, 0) as signalled_share
from sync.roster as roster
left join sync.refresh_fit as fit on roster.organization_id = fit.organization_id
left join sync.refresh_policy as policy on roster.organization_id = policy.organization_id
cross join
    lateral (
        select
            sync.change_rate(
                coalesce(roster.changes, 0), coalesce(roster.exposure_days, 0), coalesce(fit.shape, 1), coalesce(fit.mean_per_day, 1 / 60.0), 1
            ) as per_day
    ) as own
cross join
    lateral (
        select
            sync.odds_of_stopping(
                coalesce(roster.changes, 0) + coalesce(fit.shape, 1),
                coalesce(roster.exposure_days, 0) + coalesce(fit.shape, 1) / coalesce(fit.mean_per_day, 1 / 60.0),
                coalesce(extract(epoch from roster.checked_at - roster.changed_at) / 86400, 0)::double precision
            ) as odds
    ) as stopped
cross join lateral (
    select
        own.per_day
        / (1 + stopped.odds)
        * coalesce(fit.calibration[sync.change_band(roster.outcome, coalesce(roster.changes, 0), stopped.odds)], 1) as rate_per_day,
        coalesce(roster.weight, 1) * power(2.0::double precision, greatest(-4, least(4, roster.priority::integer))) as weight
) as learned;
