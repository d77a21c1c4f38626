-- Compares what the rules found with what was known as of the moment. Where a later moment was evaluated already and stands on what is replaced
-- here, its state is kept as it was (restored_*).
with concerned as (
    select
        finding.finding_id,
        finding.rule,
        finding.customer_id,
        finding.hold_id,
        finding.evidence ->> 'order_id' as order_id,
        found.severity,
        found.amount_at_risk,
        found.evidence,
        true as holds
    from staging_finding as found
    inner join wallet.finding as finding on found.rule = finding.rule and found.subject = finding.subject
    union all
    select
        finding.finding_id,
        finding.rule,
        finding.customer_id,
        finding.hold_id,
        finding.evidence ->> 'order_id' as order_id,
        null as severity,
        null as amount_at_risk,
        null as evidence,
        false as holds
    from wallet.finding as finding
    where
        finding.organization_id = %(organization_id)s
        and finding.first_seen_at <= %(as_of)s
        and (finding.resolved_at is null or finding.resolved_at >= %(as_of)s)
        and not exists (
            select
            from staging_finding as found
            where found.rule = finding.rule and found.subject = finding.subject
        )
        -- What a release left unsettled waits for evidence: that its hold is over by the ledger is no more than Syrve's word.
        and not exists (
            select
            from wallet.release as release
            inner join lateral (
                select event.state
                from wallet.release_event as event
                where event.release_id = release.release_id and event.occurred_at <= %(as_of)s
                order by event.sequence desc
                limit 1
            ) as latest on latest.state = 'unsettled'
            where
                release.hold_id = finding.hold_id
                and release.findings @> jsonb_build_array(jsonb_build_object('finding_id', finding.finding_id))
        )
),

late as materialized (
    select
        operation.customer_id,
        operation.order_id,
        coalesce(operation.hold_id, operation.operation_id) as hold_id
    from wallet.operation_event as event
    inner join wallet.operation as operation on event.operation_id = operation.operation_id
    where
        event.recorded_at > %(evaluated_at)s
        and event.occurred_at <= %(as_of)s
        and operation.organization_id = %(organization_id)s
    union
    select
        null as customer_id,
        version.order_id,
        null as hold_id
    from wallet.payment_order_version as version
    where
        version.recorded_at > %(evaluated_at)s
        and version.state_at <= %(as_of)s
        and version.organization_id = %(organization_id)s
    union
    select
        reported.customer_id,
        null as order_id,
        null as hold_id
    from wallet.transaction as reported
    where
        reported.organization_id = %(organization_id)s
        and reported.created_at <= %(as_of)s
        and reported.recorded_at > %(evaluated_at)s
),

judged as (
    select
        concerned.*,
        former.status as former_status,
        former.severity as former_severity,
        former.amount_at_risk as former_amount,
        former.evidence as former_evidence,
        coalesce(former.status in ('open', 'acknowledged'), false) as was_open,
        case
            when concerned.holds and former.status is null then 'opened'
            when concerned.holds and former.status = 'resolved' then 'opened again'
            when concerned.holds and former.status = 'released' and former.as_of < %(as_of)s then 'opened again: it holds although it was released'
            when concerned.holds and former.status in ('open', 'acknowledged') and former.severity <> concerned.severity then 'severity changed'
            when
                concerned.holds
                and former.status in ('open', 'acknowledged')
                and coalesce(former.amount_at_risk <> concerned.amount_at_risk, true)
                then 'amount changed'
            when concerned.holds and former.status in ('open', 'acknowledged') and former.evidence <> concerned.evidence then 'evidence changed'
            when not concerned.holds and former.status in ('open', 'acknowledged') then 'closed: no longer so'
        end as reason
    from concerned
    left join lateral (
        select
            version.status,
            version.severity,
            version.amount_at_risk,
            version.evidence,
            version.as_of
        from wallet.finding_version as version
        where version.finding_id = concerned.finding_id and version.as_of <= %(as_of)s
        order by version.as_of desc, version.version desc
        limit 1
    ) as former on true
),

told as (
    select
        judged.*,
        case
            when %(evaluated_at)s::timestamptz is null then ''
            when
                exists (
                    select
                    from late
                    where
                        late.customer_id = judged.customer_id
                        or late.order_id = coalesce(judged.evidence ->> 'order_id', judged.order_id)
                        or late.hold_id = judged.hold_id
                )
                then ', by a row that arrived late'
            when %(thresholds_changed)s then ', by other thresholds'
            else ', when evaluated again'
        end as occasion,
        exists (
            select
            from wallet.finding_version as version
            where
                version.finding_id = judged.finding_id
                and version.as_of > %(as_of)s
                and version.as_of <= %(next_as_of)s
        )
        or %(next_as_of)s::timestamptz is null as later_stands_by_itself
    from judged
    where judged.reason is not null
)

insert into staging_change (
    finding_id,
    rule,
    kind,
    status,
    severity,
    amount_at_risk,
    evidence,
    reason,
    restored_status,
    restored_severity,
    restored_amount,
    restored_evidence
)
select
    told.finding_id,
    told.rule,
    case when told.was_open and told.holds then 'changed' when told.holds then 'opened' else 'closed' end as kind,
    case when not told.holds then 'resolved' when told.was_open then told.former_status else 'open' end as status,
    coalesce(told.severity, told.former_severity) as severity,
    case when told.holds then told.amount_at_risk else told.former_amount end as amount_at_risk,
    coalesce(told.evidence, told.former_evidence) as evidence,
    told.reason || told.occasion as reason,
    case when not told.later_stands_by_itself then coalesce(told.former_status, 'resolved') end as restored_status,
    coalesce(told.former_severity, told.severity) as restored_severity,
    case when told.former_status is null then told.amount_at_risk else told.former_amount end as restored_amount,
    coalesce(told.former_evidence, told.evidence) as restored_evidence
from told;
