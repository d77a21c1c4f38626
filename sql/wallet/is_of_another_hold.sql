-- Whether Syrve's id is that of another hold: one of ours, or one that others told of and that is of other money. One that others told of and that
-- is of the same money is this hold.
select count(*) > 0 as is_of_another
from wallet.hold as other
inner join wallet.operation as wanted on wanted.operation_id = %(hold_id)s
where
    other.transaction_id = %(transaction_id)s
    and other.hold_id <> wanted.operation_id
    and (
        not other.observed
        or (other.organization_id, other.customer_id, other.wallet_id, other.amount)
        <> (wanted.organization_id, wanted.customer_id, wanted.wallet_id, wanted.amount)
    );
