-- What is open now, by organization and rule; amount_once counts the money of a hold with several findings once.
with open_finding as (
    select
        organization_id,
        rule,
        amount_at_risk,
        case
            when
                row_number() over (
                    partition by coalesce('hold:' || hold_id, rule || ' ' || subject)
                    order by amount_at_risk desc nulls last, finding_id
                ) = 1
                then amount_at_risk
        end as amount_once
    from wallet.finding
    where
        resolved_at is null
        and (%(organization_ids)s::uuid[] is null or organization_id = any(%(organization_ids)s::uuid[]))
)

select
    organization_id::text as organization_id,
    rule,
    count(*) as open_count,
    sum(amount_at_risk) as open_amount,
    coalesce(sum(amount_once), 0) as amount_once
from open_finding
group by organization_id, rule
order by organization_id, rule;
