-- Open findings by rule and day of age.
select
    rule,
    86400 * floor(extract(epoch from now() - first_seen_at) / 86400)::bigint as age_seconds,
    count(*) as findings,
    coalesce(sum(amount_at_risk), 0) as amount
from (
    select rule, first_seen_at, amount_at_risk
    from wallet.finding
    where resolved_at is null
    order by organization_id
    limit %(most)s
) as open_finding
group by rule, age_seconds
order by rule, age_seconds;
