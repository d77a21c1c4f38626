-- Says why a hold must not be cancelled any more on the strength of what a person was shown; null where all is as it was.
select
    case
        when hold.hold_id is null then 'the hold is known as another operation by now'
        when hold.closed_at is not null then 'the hold was ' || hold.closed_by || ' since it was shown'
        when
            not coalesce(
                (hold.transaction_id, hold.organization_id, hold.customer_id, hold.wallet_id, hold.amount)
                = (shown.transaction_id, shown.organization_id, shown.customer_id, shown.wallet_id, shown.amount),
                false
            )
            then 'the hold is not as it was shown'
        when coalesce(ordered.state, '') <> coalesce(shown.order_state, '')
            then 'the order is ' || coalesce(ordered.state, 'not known') || ', other than was shown'
        when findings.gone > 0 then 'a finding that was shown no longer holds'
        when findings.changed > 0 then 'a finding that was shown was ' || findings.status || ' since it was shown'
    end as problem,
    hold.closed_at is not null as is_over,
    hold.state as hold_state
from wallet.release as shown
left join wallet.hold as hold on shown.hold_id = hold.hold_id
left join wallet.payment_order as ordered
    on hold.organization_id = ordered.organization_id and hold.order_id = ordered.order_id
cross join
    lateral (
        select
            count(*) filter (where finding.finding_id is null or finding.resolved_at is not null) as gone,
            count(*) filter (where finding.status <> pinned.status) as changed,
            max(finding.status) filter (where finding.status <> pinned.status) as status
        from jsonb_to_recordset(shown.findings) as pinned (finding_id uuid, status text)
        left join wallet.finding as finding on pinned.finding_id = finding.finding_id
    ) as findings
where shown.release_id = %(release_id)s;
