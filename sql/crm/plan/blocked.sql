-- Notes the rows that cannot be pushed as they are, and lets those go that now can. Gives those that are newly refused, to be told once.
delete from crm.push_blocked as blocked
using staging_subject as subject
where blocked.crm_id = subject.crm_id and subject.kind <> 'refused';

with before as materialized (
    select
        blocked.crm_id,
        blocked.reason
    from crm.push_blocked as blocked
    inner join staging_subject as subject on blocked.crm_id = subject.crm_id
),

noted as (
    insert into crm.push_blocked as blocked (
        crm_id, organization_id, stage, reason, times, edited_at, memberships_edited_at, mirror_fetched_at, run_id
    )
    select
        crm_id,
        organization_id,
        'plan' as stage,
        reason,
        1 as times,
        edited_at,
        memberships_edited_at,
        fetched_at,
        %(run_id)s
    from staging_subject
    where kind = 'refused'
    on conflict (crm_id) do update
        set
            organization_id = excluded.organization_id,
            stage = 'plan',
            operation = null,
            code = null,
            reason = excluded.reason,
            times = 1,
            edited_at = excluded.edited_at,
            memberships_edited_at = excluded.memberships_edited_at,
            mirror_fetched_at = excluded.mirror_fetched_at,
            run_id = excluded.run_id,
            blocked_at = case when blocked.reason = excluded.reason then blocked.blocked_at else now() end
    returning blocked.crm_id, blocked.organization_id, blocked.reason
)

select
    noted.organization_id::text,
    noted.reason,
    count(*) as refused
from noted
left join before on noted.crm_id = before.crm_id
where before.reason is distinct from noted.reason
group by noted.organization_id, noted.reason
order by noted.organization_id, noted.reason;
