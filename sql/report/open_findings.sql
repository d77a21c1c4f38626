-- The findings that were open as of a moment, in the order of the CSV. One hold may have several findings: amount_once is its money (the
-- largest sum that any says) on one of them only, the gravest, so that sums over rules count it once.
select
    open_finding.finding_id::text as finding_id,
    open_finding.rule,
    open_finding.severity,
    open_finding.status,
    open_finding.organization_id::text as organization_id,
    open_finding.subject,
    open_finding.customer_id::text as customer_id,
    open_finding.wallet_id::text as wallet_id,
    open_finding.hold_id::text as hold_id,
    open_finding.amount_at_risk,
    open_finding.first_seen_at,
    extract(epoch from %(as_of)s::timestamptz - open_finding.first_seen_at)::bigint as age_seconds,
    open_finding.evidence::text as evidence,
    case
        when
            row_number() over (
                partition by coalesce('hold:' || open_finding.hold_id, open_finding.rule || ' ' || open_finding.subject)
                order by
                    array_position(array['critical', 'high', 'medium', 'low'], open_finding.severity),
                    open_finding.amount_at_risk desc nulls last,
                    open_finding.rule,
                    open_finding.subject
            ) = 1
            then
                max(open_finding.amount_at_risk) over (
                    partition by coalesce('hold:' || open_finding.hold_id, open_finding.rule || ' ' || open_finding.subject)
                )
    end as amount_once
from wallet.finding_as_of(%(as_of)s) as open_finding
-- Only to be quick where there is much history: what closed by then was not open.
inner join wallet.finding as known
    on open_finding.finding_id = known.finding_id and (known.resolved_at is null or known.resolved_at > %(as_of)s)
where
    open_finding.status in ('open', 'acknowledged')
    and (%(organization_ids)s::uuid[] is null or open_finding.organization_id = any(%(organization_ids)s::uuid[]))
order by open_finding.organization_id, open_finding.rule, open_finding.subject;
