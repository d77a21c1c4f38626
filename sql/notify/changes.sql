-- How the findings differ from what the channel was last told, those only that differ in a way worth saying.
with last_message as (
    select max(as_of) as as_of
    from wallet.notification
    where channel = %(channel)s
),

candidate as (
    select finding_id
    from wallet.finding
    where resolved_at is null
    union
    select finding_id
    from wallet.finding_told
    where channel = %(channel)s and is_open
    union
    select finding.finding_id
    from wallet.finding as finding
    cross join last_message
    where
        finding.resolved_at >= last_message.as_of
        and exists (
            select
            from wallet.finding_version as version
            where
                version.finding_id = finding.finding_id
                and version.as_of > last_message.as_of
                and version.status in ('open', 'acknowledged')
        )
),

compared as (
    select
        finding.finding_id,
        finding.organization_id,
        finding.rule,
        finding.severity,
        finding.amount_at_risk,
        finding.resolved_at is null as is_open,
        coalesce(told.is_open, false) as was_open,
        told.severity as told_severity,
        told.amount_at_risk as told_amount
    from candidate
    inner join wallet.finding as finding on candidate.finding_id = finding.finding_id
    left join wallet.finding_told as told on candidate.finding_id = told.finding_id and told.channel = %(channel)s
    where %(organization_ids)s::uuid[] is null or finding.organization_id = any(%(organization_ids)s::uuid[])
),

changed as (
    select
        compared.*,
        case
            when compared.is_open and not compared.was_open then 'opened'
            when not compared.is_open and compared.was_open then 'closed'
            when not compared.is_open then 'passed'
            when
                array_position(array['low', 'medium', 'high', 'critical'], compared.severity)
                > array_position(array['low', 'medium', 'high', 'critical'], compared.told_severity)
                then 'raised'
            when (compared.amount_at_risk is null) <> (compared.told_amount is null) then 'amount_changed'
            when compared.amount_at_risk <> compared.told_amount and abs(compared.amount_at_risk - compared.told_amount) >= %(notable_share)s * abs(compared.told_amount)
                then 'amount_changed'
        end as change
    from compared
)

select
    changed.finding_id::text as finding_id,
    newest.version,
    changed.organization_id::text as organization_id,
    changed.rule,
    changed.severity,
    changed.amount_at_risk,
    changed.told_amount,
    changed.is_open,
    changed.change
from changed
inner join lateral (
    select version.version
    from wallet.finding_version as version
    where version.finding_id = changed.finding_id
    order by version.as_of desc, version.version desc
    limit 1
) as newest on true
where changed.change is not null
order by changed.organization_id, changed.rule, changed.finding_id;
