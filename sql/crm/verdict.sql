-- How a plan went, by organization: rows that were refused, at planning or by Syrve, of all rows that could have gone.
select
    organization_id::text,
    sum(sent)::bigint as sent,
    sum(refused)::bigint as refused
from (
    select
        organization_id,
        count(*) filter (where state in ('pushed', 'linked', 'failed')) as sent,
        count(*) filter (where state = 'refused') as refused
    from crm.push_plan
    where plan_id = %(plan_id)s
    group by organization_id
    union all
    select
        organization_id,
        0 as sent,
        count(*) as refused
    from crm.push_blocked
    where run_id = %(run_id)s and stage = 'plan'
    group by organization_id
) as counted
group by organization_id
order by organization_id;
