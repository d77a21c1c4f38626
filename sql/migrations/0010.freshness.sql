-- depends: 0009.backfill

create schema analytics;
comment on schema analytics is 'Views for analysts; they hold no name, phone or e-mail address in clear.';

create view analytics.sync_freshness as
with tiered as (
    select
        roster.organization_id,
        case when roster.active_until is null then 'regular' else 'active' end as tier,
        count(*) as identities,
        count(*) filter (where roster.outcome = 'found') as found,
        count(*) filter (where roster.outcome = 'found' and roster.checked_at > now() - interval '1 hour') as fresher_than_1h,
        count(*) filter (where roster.outcome = 'found' and roster.checked_at > now() - interval '24 hours') as fresher_than_24h,
        count(*) filter (where roster.outcome = 'found' and roster.checked_at > now() - interval '7 days') as fresher_than_7d,
        count(*) filter (where roster.due_at <= now()) as overdue,
        now() - min(roster.due_at) filter (where roster.due_at <= now()) as longest_overdue,
        count(*) filter (where roster.checked_at is null) as never_checked
    from sync.roster as roster
    group by 1, 2
)

select
    tiered.organization_id,
    organization.name as organization_name,
    tiered.tier,
    tiered.identities,
    tiered.found,
    tiered.fresher_than_1h,
    tiered.fresher_than_24h,
    tiered.fresher_than_7d,
    tiered.overdue,
    tiered.longest_overdue,
    tiered.never_checked,
    budget.calls_per_minute,
    make_interval(secs => (60 * tiered.identities / budget.calls_per_minute)::double precision) as full_round,
    make_interval(
        secs => (60 * sum(tiered.identities) over (partition by organization.account) / budget.calls_per_minute)::double precision
    ) as full_round_of_account
from tiered
left join syrve.organization as organization on tiered.organization_id = organization.organization_id
left join sync.call_budget as budget on organization.account = budget.account and budget.family = 'customer';
comment on view analytics.sync_freshness is 'How fresh the mirror is: a row an organization and tier of its roster, as of now.';
comment on column analytics.sync_freshness.organization_id is 'Organization.';
comment on column analytics.sync_freshness.organization_name is 'Its name; null until it has been listed.';
comment on column analytics.sync_freshness.tier is 'active (a wallet moved lately: syrve_balances) or regular (syrve_customers).';
comment on column analytics.sync_freshness.identities is 'Identities of the roster.';
comment on column analytics.sync_freshness.found is 'Those whose last look-up gave a customer.';
comment on column analytics.sync_freshness.fresher_than_1h is 'Found ones confirmed in the last hour.';
comment on column analytics.sync_freshness.fresher_than_24h is 'Found ones confirmed in the last 24 hours.';
comment on column analytics.sync_freshness.fresher_than_7d is 'Found ones confirmed in the last 7 days.';
comment on column analytics.sync_freshness.overdue is 'Identities whose look-up is due.';
comment on column analytics.sync_freshness.longest_overdue is 'How long the oldest of them has been due.';
comment on column analytics.sync_freshness.never_checked is 'Identities that were never looked up.';
comment on column analytics.sync_freshness.calls_per_minute is 'Present budget of customer calls of the account.';
comment on column analytics.sync_freshness.full_round is 'How long looking up all of this row once takes at that budget, nothing else running.';
comment on column analytics.sync_freshness.full_round_of_account is 'The same for all organizations and tiers of the account, which share the budget.';

do $$
begin
    if exists (select from pg_roles where rolname = 'syrve_analyst') then
        grant usage on schema analytics to syrve_analyst;
        grant select on analytics.sync_freshness to syrve_analyst;
    end if;
    if exists (select from pg_roles where rolname = 'syrve_ops') then
        grant usage on schema analytics to syrve_ops;
        grant select on analytics.sync_freshness to syrve_ops;
    end if;
end
$$;
