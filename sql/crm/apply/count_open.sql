-- How many rows of the plan are still to be sent, counted up to a number?
select count(*)
from (
    select 1
    from crm.push_plan
    where plan_id = %(plan_id)s and organization_id = %(organization_id)s and state = 'planned'
    limit %(most)s
) as open;
