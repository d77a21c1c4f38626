-- By day (UTC) and organization: what opened and closed, and what was open as of the day's last evaluation.
with counted as (
    select
        evaluation.organization_id,
        evaluation.as_of,
        coalesce(sum(finding_count.open_count), 0) as open_count,
        coalesce(sum(finding_count.opened_count), 0) as opened_count,
        coalesce(sum(finding_count.closed_count), 0) as closed_count
    from wallet.finding_evaluation as evaluation
    left join wallet.finding_count as finding_count
        on evaluation.organization_id = finding_count.organization_id and evaluation.as_of = finding_count.as_of
    where
        evaluation.as_of > %(since)s
        and evaluation.as_of <= %(as_of)s
        and (%(organization_ids)s::uuid[] is null or evaluation.organization_id = any(%(organization_ids)s::uuid[]))
    group by evaluation.organization_id, evaluation.as_of
)

select
    date_trunc('day', as_of) as day,
    organization_id::text as organization_id,
    sum(opened_count)::bigint as opened_count,
    sum(closed_count)::bigint as closed_count,
    ((array_agg(open_count order by as_of desc))[1])::bigint as open_count
from counted
group by date_trunc('day', as_of), organization_id
order by day, organization_id;
