-- The organizations that the ledger or the findings know: one look into the index for each, not the whole book.
with recursive booked as (
    (
        select operation.organization_id
        from wallet.operation as operation
        order by operation.organization_id
        limit 1
    )
    union all
    select (
        select operation.organization_id
        from wallet.operation as operation
        where operation.organization_id > booked.organization_id
        order by operation.organization_id
        limit 1
    )
    from booked
    where booked.organization_id is not null
)

select booked.organization_id::text as organization_id
from booked
where booked.organization_id is not null
union
select finding.organization_id::text as organization_id
from wallet.finding as finding
where finding.resolved_at is null
order by organization_id;
