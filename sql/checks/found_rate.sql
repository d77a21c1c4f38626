-- check: found_rate
-- meaning: Pulls of the last day found a much smaller share of what they looked up than those of the 30 days before: more than 10 points less, of at least
--   100 look-ups. A wrong login, a wrong organization or a bad import looks like this.
-- what to do: Look at analytics.run and at sync.breaker. If an import brought identities that Syrve does not know, take them off the roster.
-- blind to: One organization among many; a warehouse without 100 look-ups before.
select
    array['syrve_customers.pull'] as subject,
    concat(round(lately.rate, 3), ' found in the last day, ', round(before.rate, 3), ' before') as detail
from (
    select
        sum(found)::numeric / nullif(sum(requested), 0) as rate,
        sum(requested) as requested
    from sync.run
    where task = 'syrve_customers.pull' and started_at > now() - interval '1 day'
) as lately
cross join (
    select
        sum(found)::numeric / nullif(sum(requested), 0) as rate,
        sum(requested) as requested
    from sync.run
    where task = 'syrve_customers.pull' and started_at <= now() - interval '1 day' and started_at > now() - interval '31 days'
) as before
where lately.requested >= 100 and before.requested >= 100 and lately.rate < before.rate - 0.1
