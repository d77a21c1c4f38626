-- The latest plan of a run, as counts.
select
    plan_id,
    is_dry_run,
    considered,
    creates,
    updates,
    memberships,
    conflicts,
    asking,
    refused,
    waiting,
    agreed,
    held_back,
    fields
from crm.push_plan_summary
where run_id = %(run_id)s
order by plan_id desc
limit 1;
