-- How many customers of each organization does the plan send?
select
    organization_id::text,
    count(*) as customers
from crm.push_plan
where plan_id = %(plan_id)s
group by organization_id
order by organization_id;
