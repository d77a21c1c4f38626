-- Rows of the CRM that wait.
select
    crm_id,
    stage,
    reason,
    times,
    blocked_at
from crm.push_blocked
order by crm_id
limit %(most)s;
