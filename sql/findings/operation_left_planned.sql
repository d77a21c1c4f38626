-- rule: operation_left_planned
-- meaning: An operation of ours was planned more than planned_grace_seconds ago and neither sent nor dropped. Nothing has moved, and it may be sent
--   whenever its task runs again. The rows of one top-up campaign are one finding.
-- severity: medium
-- what to do: Run the payment or the campaign again to finish it, or give it up, so that it is not sent unexpectedly later.
select
    case
        when planned.source like 'topup:%%' then 'campaign:' || planned.organization_id || ':' || planned.source
        else 'operation:' || planned.operation_id
    end as subject,
    planned.organization_id,
    (array_agg(planned.customer_id order by planned.planned_at, planned.operation_id))[1] as customer_id,
    (array_agg(planned.wallet_id order by planned.planned_at, planned.operation_id))[1] as wallet_id,
    (
        array_agg(case when planned.kind = 'hold' then planned.operation_id else planned.hold_id end order by planned.planned_at, planned.operation_id)
    )[1] as hold_id,
    sum(coalesce(planned.amount, 0)) as amount_at_risk,
    %(severity)s::text as severity,
    jsonb_build_object(
        'kind', min(planned.kind),
        'source', min(planned.source),
        'operations', count(*),
        'operation_ids', (array_agg(planned.operation_id order by planned.planned_at, planned.operation_id))[1:10],
        'planned_at', min(planned.planned_at),
        'order_id', min(planned.order_id)
    ) as evidence
from wallet.unsettled_operation as planned
where
    planned.organization_id = %(organization_id)s
    and planned.planned_at <= %(as_of)s - make_interval(secs => %(planned_grace_seconds)s)
    and tstzrange(
        planned.planned_at,
        case
            when planned.sent_at is not null or planned.settled_at is not null
                then greatest(planned.planned_at, least(planned.sent_at, planned.settled_at))
        end
    ) @> %(as_of)s
group by planned.organization_id, subject;
