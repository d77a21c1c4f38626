-- Whether any other operation of the ledger may have moved the money of a wallet since a moment.
select exists (
    select 1
    from wallet.operation as other
    inner join wallet.operation_event as event on other.operation_id = event.operation_id
    where
        other.organization_id = %(organization_id)s
        and other.customer_id = %(customer_id)s
        and (other.wallet_id = %(wallet_id)s or other.wallet_id is null)
        and other.operation_id <> %(operation_id)s
        and event.state in ('sent', 'confirmed', 'unknown')
        and event.occurred_at >= %(since)s
)
or exists (
    select 1
    from wallet.unsettled_operation as other
    where
        other.organization_id = %(organization_id)s
        and other.customer_id = %(customer_id)s
        and other.operation_id <> %(operation_id)s
        and other.settled_at is null
        and other.state in ('sent', 'unknown')
) as moved;
