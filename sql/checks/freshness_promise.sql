-- check: freshness_promise
-- meaning: Identities of an organization have had no answer for longer than the promised maximum age (sync.refresh_policy, 30 days without a row), and a day more.
-- what to do: See keeps_max_age of analytics.sync_freshness. If it is false, the budget is too small: raise budgets of the connection, or promise less.
--   If it is true, syrve_customers did not run or failed: see its runs.
select
    array[late.organization_id::text] as subject,
    concat(count(*), ' identities are later than promised, the oldest by ', max(late.by)) as detail
from (
    select
        roster.organization_id,
        date_trunc('hour', now() - coalesce(roster.checked_at, roster.added_at))
        - make_interval(secs => coalesce(policy.max_age_seconds, 2592000)) as by
    from sync.roster as roster
    left join sync.refresh_policy as policy on roster.organization_id = policy.organization_id
    where
        coalesce(roster.checked_at, roster.added_at)
        < now() - make_interval(secs => coalesce(policy.max_age_seconds, 2592000)) - interval '1 day'
) as late
group by late.organization_id
