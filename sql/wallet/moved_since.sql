-- Whether anything else may have moved the money of a wallet since a moment: operations through any organization of its network, also such as name
-- a hold and no wallet, and what Syrve's report shows. What others report goes by their clocks, which may be behind ours.
with others as (
    select other.operation_id
    from wallet.operation as other
    where
        other.customer_id = %(customer_id)s
        and (other.wallet_id = %(wallet_id)s or other.wallet_id is null)
        and other.operation_id <> %(operation_id)s
        and other.requested_at >= %(since)s::timestamptz - interval '1 day'
    union
    select other.operation_id
    from wallet.operation as other
    inner join wallet.hold as held on other.hold_id = held.hold_id or other.hold_id = held.transaction_id
    where
        other.customer_id is null
        and other.requested_at >= %(since)s::timestamptz - interval '1 day'
        and held.customer_id = %(customer_id)s
        and held.wallet_id = %(wallet_id)s
        and other.operation_id <> %(operation_id)s
)

select exists (
    select
    from others
    inner join wallet.operation_event as event on others.operation_id = event.operation_id
    inner join wallet.operation_event as begun on others.operation_id = begun.operation_id and begun.sequence = 1
    where
        event.state in ('sent', 'confirmed', 'unknown')
        and event.basis is distinct from 'balance'
        and event.occurred_at
        >= %(since)s::timestamptz - case when begun.state = 'planned' then interval '0' else make_interval(secs => %(skew_seconds)s) end
)
or exists (
    select
    from wallet.unsettled_operation as other
    left join wallet.hold as held on other.customer_id is null and other.hold_id in (held.hold_id, held.transaction_id)
    where
        coalesce(other.customer_id, held.customer_id) = %(customer_id)s
        and coalesce(other.wallet_id, held.wallet_id, %(wallet_id)s) = %(wallet_id)s
        and other.operation_id <> %(operation_id)s
        and other.settled_at is null
        and other.state in ('sent', 'unknown')
)
or exists (
    select
    from wallet.transaction as reported
    where
        reported.customer_id = %(customer_id)s
        and (reported.wallet_id = %(wallet_id)s or reported.wallet_id is null)
        and reported.marked_operation_id is null
        and reported.created_at >= %(since)s::timestamptz - make_interval(secs => %(skew_seconds)s)
) as moved;
