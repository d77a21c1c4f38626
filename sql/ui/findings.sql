-- Open findings, the gravest and oldest first, with the hold that each names.
select
    finding.finding_id::text as finding_id,
    finding.rule,
    finding.severity,
    finding.status,
    finding.subject,
    finding.amount_at_risk,
    finding.first_seen_at,
    greatest(0, extract(epoch from now() - finding.first_seen_at))::bigint as age_seconds,
    coalesce(organization.name, finding.organization_id::text) as organization_name,
    hold.hold_id is not null and hold.closed_at is null as has_open_hold,
    hold.amount as hold_amount,
    hold.order_id
from (
    select *
    from wallet.finding
    where resolved_at is null
    order by array_position(array['critical', 'high', 'medium', 'low'], severity), first_seen_at
    limit %(most)s
) as finding
left join syrve.organization as organization on finding.organization_id = organization.organization_id
left join wallet.hold as hold on finding.hold_id = hold.hold_id
order by array_position(array['critical', 'high', 'medium', 'low'], finding.severity), finding.first_seen_at;
