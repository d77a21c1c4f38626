-- Makes the findings that were not found before, and locks all that are concerned, in one order: a release of one waits, and sees the outcome.
insert into wallet.finding (
    rule,
    subject,
    organization_id,
    customer_id,
    wallet_id,
    hold_id,
    amount_at_risk,
    severity,
    evidence,
    first_seen_at,
    last_seen_at
)
select
    found.rule,
    found.subject,
    found.organization_id,
    found.customer_id,
    found.wallet_id,
    found.hold_id,
    found.amount_at_risk,
    found.severity,
    found.evidence,
    %(as_of)s as first_seen_at,
    %(as_of)s as last_seen_at
from staging_finding as found
order by found.rule, found.subject
on conflict (rule, subject) do nothing;

select count(*) as locked
from (
    select finding.finding_id
    from wallet.finding as finding
    where
        finding.organization_id = %(organization_id)s
        and (
            finding.resolved_at is null
            or (finding.resolved_at >= %(as_of)s and finding.first_seen_at <= %(as_of)s)
            or exists (
                select
                from staging_finding as found
                where found.rule = finding.rule and found.subject = finding.subject
            )
        )
    order by finding.finding_id
    for no key update
) as locked;
