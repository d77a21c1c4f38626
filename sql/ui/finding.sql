-- One finding.
select
    finding.finding_id::text as finding_id,
    finding.rule,
    finding.severity,
    finding.status,
    finding.amount_at_risk,
    finding.first_seen_at,
    finding.last_seen_at,
    finding.customer_id::text as customer_id,
    finding.hold_id::text as hold_id,
    coalesce(organization.name, finding.organization_id::text) as organization_name,
    hold.amount as hold_amount,
    hold.state as hold_state,
    hold.closed_by,
    hold.order_id
from wallet.finding as finding
left join syrve.organization as organization on finding.organization_id = organization.organization_id
left join wallet.hold as hold on finding.hold_id = hold.hold_id
where finding.finding_id = %(finding_id)s::uuid;
