-- Days of every organization that are not added up for good: from the first day that anything was known, up to today.
select
    organization.organization_id::text as organization_id,
    coming.day::date as day
from syrve.organization as organization
cross join lateral (select (now() at time zone organization.time_zone)::date as today) as present
cross join
    lateral (
        select coalesce(
            (
                select max(daily.day) + 1
                from syrve.daily_balance as daily
                where daily.organization_id = organization.organization_id and daily.is_final
            ),
            (
                select (min(customer.first_seen_at) at time zone organization.time_zone)::date
                from syrve.customer as customer
                where customer.organization_id = organization.organization_id
            )
        ) as day
    ) as first
cross join lateral generate_series(first.day::timestamp, present.today::timestamp, interval '1 day') as coming (day)
order by organization.organization_id, coming.day
limit %(at_most)s;
