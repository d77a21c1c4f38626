-- The days (UTC) of the last 30, since the first operation of the ledger, for which an organization has no evaluation; the newest first.
select
    day.day::date as day,
    string_agg(coalesce(organization.name, organization.organization_id::text), ', ' order by organization.name) as organizations
from (
    select
        generate_series(
            greatest(date_trunc('day', now() at time zone 'UTC') - interval '30 days', date_trunc('day', first.requested_at at time zone 'UTC')),
            date_trunc('day', now() at time zone 'UTC') - interval '1 day',
            interval '1 day'
        ) as day
    from (select requested_at from wallet.operation order by requested_at limit 1) as first
) as day
cross join (select organization_id, name from syrve.organization order by organization_id limit 100) as organization
where
    not exists (
        select
        from wallet.finding_evaluation as evaluation
        where
            evaluation.organization_id = organization.organization_id
            and evaluation.as_of > (day.day at time zone 'UTC')
            and evaluation.as_of <= ((day.day + interval '1 day') at time zone 'UTC')
    )
group by day.day
order by day.day desc;
