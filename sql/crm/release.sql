-- Lets the rows of the organizations go that wait for a person, as if they had never been refused (by the trigger forget_refusals).
delete from crm.push_blocked
where organization_id = any(%(organization_ids)s::uuid[]);
