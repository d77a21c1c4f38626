-- The organizations of each account with what was promised to them and what is known of them, the budget of their account, and what other work took of
-- it in the last day: it comes first. Guests come by the week, so what signals took is the mean of seven days. Where several accounts share the
-- warehouse, each bears its part of that by its budget.
with other_work as (
    select
        coalesce(sum(case when task like 'syrve\_signals.%%' then calls / 7.0 when updated_at > now() - interval '1 day' then calls end), 0)::double precision
            as calls
    from sync.run
    where
        updated_at > now() - interval '7 days'
        and task like any(array['syrve\_balances.%%', 'syrve\_backfill.%%', 'syrve\_crm\_push.%%', 'syrve\_signals.%%'])
),

budgeted as (
    select
        account,
        calls_per_minute::double precision as calls_per_minute,
        calls_per_minute::double precision / sum(calls_per_minute::double precision) over () as part
    from sync.call_budget
    where family = 'customer'
)

select
    organization.organization_id::text,
    organization.account,
    1440 / 1.01 * budgeted.calls_per_minute as calls_per_day,
    budgeted.part * other_work.calls as other_calls_per_day,
    policy.max_age_seconds,
    policy.min_interval_seconds,
    fit.shape,
    fit.mean_per_day,
    fit.observed,
    fit.expected,
    fit.signal_evidence,
    extract(epoch from now() - fit.fitted_at)::double precision / 86400 as fit_age_days,
    not exists (
        select
        from sync.signal_flow as flow
        where
            flow.organization_id = organization.organization_id
            and flow.stopped_at is not null
            and (
                flow.sort <> 'feed'
                or not exists (
                    select
                    from sync.signal_flow as other
                    where other.organization_id = organization.organization_id and other.sort <> 'feed'
                )
            )
    ) as trusts_signals
from syrve.organization as organization
inner join budgeted on organization.account = budgeted.account
cross join other_work
left join sync.refresh_policy as policy on organization.organization_id = policy.organization_id
left join sync.refresh_fit as fit on organization.organization_id = fit.organization_id
order by organization.account, organization.organization_id;
