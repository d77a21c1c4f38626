-- The budgets in force, summed over api logins.
select
    family,
    sum(calls_per_minute) as calls_per_minute,
    max(nullif(paused_until, '-infinity')) as paused_until
from sync.call_budget
group by family
order by family;
