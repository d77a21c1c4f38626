-- How many rows of the plan are still to be sent?
select count(*)
from crm.push_plan
where plan_id = %(plan_id)s and organization_id = %(organization_id)s and state = 'planned';
