-- What happened to a finding, to the operations on its hold and order, and what was decided about it; in order of time.
with
finding as (
    select finding_id, hold_id, organization_id from wallet.finding where finding_id = %(finding_id)s::uuid
),

hold as (
    select hold.hold_id, hold.transaction_id, hold.organization_id, hold.order_id
    from finding
    inner join wallet.hold as hold on finding.hold_id = hold.hold_id
),

touched as (
    select operation.operation_id from hold
    inner join wallet.operation as operation on hold.hold_id = operation.operation_id
    union
    select operation.operation_id from hold
    inner join wallet.operation as operation on operation.hold_id in (hold.hold_id, hold.transaction_id)
    union
    select operation.operation_id from hold
    inner join wallet.operation as operation on hold.organization_id = operation.organization_id and hold.order_id = operation.order_id
)

select at, what, amount, status, id from (
    select
        version.as_of as at,
        concat('Finding ', version.status, ' (', version.severity, ')') as what,
        version.amount_at_risk as amount,
        case version.status when 'open' then 'bad' when 'acknowledged' then 'warn' else 'good' end as status,
        null::text as id
    from finding
    inner join wallet.finding_version as version on finding.finding_id = version.finding_id
    union all
    select
        event.occurred_at as at,
        concat(operation.kind, ' ', event.state, ', ', case when event.basis is not null then 'by ' || event.basis else operation.source end) as what,
        operation.amount,
        case event.state when 'confirmed' then 'good' when 'unknown' then 'bad' when 'rejected' then 'warn' else 'none' end as status,
        operation.operation_id::text as id
    from touched
    inner join wallet.operation as operation on touched.operation_id = operation.operation_id
    inner join wallet.operation_event as event on touched.operation_id = event.operation_id
    union all
    select
        version.state_at as at,
        concat('Order ', version.state) as what,
        version.amount,
        'run' as status,
        version.order_id as id
    from hold
    inner join wallet.payment_order_version as version
        on hold.organization_id = version.organization_id and hold.order_id = version.order_id
    union all
    select
        event.occurred_at as at,
        concat('Release ', event.state, case when event.decided_by is not null then ' by ' || event.decided_by end) as what,
        asked.amount,
        case event.state when 'released' then 'good' when 'refused' then 'bad' when 'unsettled' then 'bad' else 'run' end as status,
        asked.release_id::text as id
    from hold
    inner join wallet.release as asked on hold.hold_id = asked.hold_id
    inner join wallet.release_event as event on event.release_id = asked.release_id -- noqa: ST09
) as told
order by at, what
limit 300;
