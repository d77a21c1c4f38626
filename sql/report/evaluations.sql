-- For each organization: its last evaluation up to a moment, the one before, and what changed at the last.
select
    latest.organization_id::text as organization_id,
    latest.as_of,
    former.as_of as former_as_of,
    coalesce(changed.opened_count, 0) as opened_count,
    coalesce(changed.opened_amount, 0) as opened_amount,
    coalesce(changed.closed_count, 0) as closed_count,
    coalesce(changed.closed_amount, 0) as closed_amount
from (
    select organization_id, max(as_of) as as_of
    from wallet.finding_evaluation
    where
        as_of <= %(as_of)s
        and (%(organization_ids)s::uuid[] is null or organization_id = any(%(organization_ids)s::uuid[]))
    group by organization_id
) as latest
left join lateral (
    select max(evaluation.as_of) as as_of
    from wallet.finding_evaluation as evaluation
    where evaluation.organization_id = latest.organization_id and evaluation.as_of < latest.as_of
) as former on true
left join lateral (
    select
        sum(counted.opened_count)::bigint as opened_count,
        sum(counted.opened_amount) as opened_amount,
        sum(counted.closed_count)::bigint as closed_count,
        sum(counted.closed_amount) as closed_amount
    from wallet.finding_count as counted
    where counted.organization_id = latest.organization_id and counted.as_of = latest.as_of
) as changed on true
order by organization_id;
