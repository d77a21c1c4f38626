-- Takes staged holds out whose id at Syrve is that of a hold of ours with other content; one of the same content is that hold.
with removed as (
    delete from staging_operation as staged
    using wallet.hold as held
    where
        staged.kind = 'hold'
        and held.transaction_id = staged.operation_id
        and held.hold_id <> staged.operation_id
        and (held.organization_id, held.customer_id, held.wallet_id, held.amount)
        is distinct from (staged.organization_id, staged.customer_id, staged.wallet_id, staged.amount)
    returning staged.place
)

select distinct
    removed.place,
    'hold_id is taken by an operation of other content' as reason
from removed;
