-- Grave findings that are not acknowledged.
select
    finding_id::text as finding_id,
    rule,
    severity,
    amount_at_risk,
    first_seen_at
from wallet.finding
where resolved_at is null and status = 'open' and severity in ('critical', 'high')
order by severity, first_seen_at
limit %(most)s;
