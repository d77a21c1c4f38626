-- What happened to one operation of the ledger, to those that refer to it, and to those of the same order, in the order of time.
with
asked as (
    select operation_id, hold_id, organization_id, order_id
    from wallet.operation
    where operation_id = %(operation_id)s::uuid
),

touched as (
    select operation_id from asked
    union
    select operation.operation_id from asked
    inner join wallet.operation as operation on asked.hold_id = operation.operation_id
    union
    select operation.operation_id from asked
    inner join wallet.operation as operation on operation.hold_id in (asked.operation_id, asked.hold_id)
    union
    select operation.operation_id from asked
    inner join wallet.operation as operation
        on asked.organization_id = operation.organization_id and asked.order_id = operation.order_id
)

select
    event.occurred_at as at,
    concat(operation.kind, ' ', event.state, ', ', case when event.basis is not null then 'by ' || event.basis else operation.source end) as what,
    operation.amount,
    event.correlation_id::text as correlation_id,
    operation.operation_id::text as id
from touched
inner join wallet.operation as operation on touched.operation_id = operation.operation_id
inner join wallet.operation_event as event on touched.operation_id = event.operation_id
order by at, event.sequence
limit 300;
