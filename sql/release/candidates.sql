-- Findings that are chosen, by hand or by criteria, with the hold of each as it is now and the reason for which it can't be offered, if any.
-- The worst come first, and of these the oldest holds.
with chosen as (
    select named.finding_id
    from unnest(%(finding_ids)s::uuid[]) as named (finding_id)
    union
    select finding.finding_id
    from wallet.finding as finding
    inner join wallet.hold as hold on finding.hold_id = hold.hold_id
    where
        cardinality(%(finding_ids)s::uuid[]) = 0
        and finding.resolved_at is null
        and finding.status = 'open'
        and finding.rule = any(%(rules)s::text[])
        and finding.severity = any(%(severities)s::text[])
        and (%(organization_ids)s::uuid[] is null or finding.organization_id = any(%(organization_ids)s::uuid[]))
        and hold.opened_at <= clock_timestamp() - make_interval(secs => %(min_age_seconds)s)
)

select
    chosen.finding_id::text,
    finding.rule,
    finding.severity,
    finding.status,
    coalesce(
        (
            select max(version.version)
            from wallet.finding_version as version
            where version.finding_id = chosen.finding_id
        ),
        0
    ) as version,
    finding.amount_at_risk::text,
    hold.hold_id::text,
    hold.transaction_id::text,
    hold.organization_id::text,
    hold.customer_id::text,
    hold.wallet_id::text,
    hold.amount,
    hold.state as hold_state,
    hold.opened_at,
    hold.order_id,
    ordered.state as order_state,
    case
        when finding.finding_id is null then 'there is no such finding'
        when finding.resolved_at is not null then 'the finding is closed'
        when not finding.organization_id = any(coalesce(%(organization_ids)s::uuid[], array[finding.organization_id]))
            then 'the finding belongs to another organization'
        when not finding.rule = any(%(releasable)s::text[]) then 'findings of this rule name no hold that could be released'
        when hold.hold_id is null then 'the finding names no hold of the ledger'
        when hold.closed_at is not null then 'the hold is over: ' || hold.closed_by
        when hold.transaction_id is null then 'Syrve''s id of the hold is not known'
        when
            exists (
                select 1
                from wallet.release_state as asked
                where
                    asked.hold_id = hold.hold_id
                    and asked.state in ('asked', 'approved')
                    and asked.answer_until > clock_timestamp()
            )
            then 'another run is at the hold'
        when
            cardinality(%(finding_ids)s::uuid[]) = 0
            and exists (
                select 1
                from wallet.release_state as tried
                where
                    tried.hold_id = hold.hold_id
                    and tried.state = 'unsettled'
                    and not exists (
                        select 1
                        from wallet.operation as operation
                        inner join wallet.operation_event as event on operation.operation_id = event.operation_id
                        where
                            operation.hold_id in (hold.hold_id, hold.transaction_id)
                            and event.recorded_at > tried.state_at
                    )
                    and not exists (
                        select 1
                        from wallet.payment_order_version as version
                        where
                            version.organization_id = hold.organization_id
                            and version.order_id = hold.order_id
                            and version.recorded_at > tried.state_at
                    )
            )
            then 'a release of the hold is not settled, and nothing has become known since'
    end as problem
from chosen
left join wallet.finding as finding on chosen.finding_id = finding.finding_id
left join wallet.hold as hold on finding.hold_id = hold.hold_id
left join wallet.payment_order as ordered
    on hold.organization_id = ordered.organization_id and hold.order_id = ordered.order_id
order by
    array_position(array['critical', 'high', 'medium', 'low'], finding.severity) asc,
    hold.opened_at asc,
    chosen.finding_id asc;
