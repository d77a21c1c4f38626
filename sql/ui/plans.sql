-- The newest plans of pushes.
select
    plan_id,
    run_id,
    is_dry_run,
    creates + updates + memberships as customers,
    creates,
    updates,
    memberships,
    conflicts,
    refused,
    waiting,
    held_back,
    planned_at
from crm.push_plan_summary
order by planned_at desc
limit 20;
