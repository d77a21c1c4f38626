-- Lets the rows of the organizations go that wait for a person, as if they had never been refused.
with released as (
    delete from crm.push_blocked
    where organization_id = any(%(organization_ids)s::uuid[])
    returning crm_id
)

update crm.push_state as known
set failures = 0, refusals = 0, refusal = null, retry_at = null
from released
where known.crm_id = released.crm_id;
