-- check: ledger_meets_balances
-- meaning: Our own top-ups and charges of the last 8 days that Syrve confirmed should have moved a wallet, the customer was looked up later, and the balance is
--   still as it was before them. Or a cancellation should have raised a balance that its hold had lowered, and it is still as it was before the cancellation.
-- what to do: Compare the wallet's movements in the back office with wallet.operation. If Syrve does not have them, tell its support, with the
--   correlation ids of wallet.operation_event.
-- blind to: Wallets whose balance changed at all since, and movements that cancel out: reconciliation looks at those (unexplained_balance_change).
select
    array[moved.organization_id::text, moved.customer_id::text, moved.wallet_id::text] as subject,
    concat(moved.operations, ' operation(s) of together ', moved.effect, ' do not show') as detail
from (
    select
        operation.organization_id,
        operation.customer_id,
        operation.wallet_id,
        count(*) as operations,
        sum(case operation.kind when 'topup' then operation.amount else -operation.amount end) as effect,
        min(operation.requested_at) as first_at,
        max(operation.state_at) as last_at
    from wallet.operation_state as operation
    where
        operation.kind in ('topup', 'chargeoff')
        and operation.state = 'confirmed'
        and operation.basis = 'answer'
        and not operation.consumes_hold
        and operation.requested_at > now() - interval '8 days'
    group by operation.organization_id, operation.customer_id, operation.wallet_id
) as moved
inner join syrve.wallet_balance as wallet
    on
        moved.organization_id = wallet.organization_id
        and moved.customer_id = wallet.customer_id
        and moved.wallet_id = wallet.wallet_id
where
    moved.effect <> 0
    and wallet.changed_at < moved.first_at
    and exists (
        select
        from sync.roster as roster
        where
            roster.organization_id = moved.organization_id
            and roster.customer_id = moved.customer_id
            and roster.confirmed_at > moved.last_at + interval '10 minutes'
    )
union all
select
    array[operation.organization_id::text, operation.customer_id::text, operation.wallet_id::text] as subject,
    concat('the cancellation of a hold of ', operation.amount, ' does not show') as detail
from wallet.operation_state as operation
inner join wallet.operation_event as sent on operation.operation_id = sent.operation_id and sent.sequence = 2 and sent.state = 'sent'
inner join syrve.wallet_balance as wallet
    on
        operation.organization_id = wallet.organization_id
        and operation.customer_id = wallet.customer_id
        and operation.wallet_id = wallet.wallet_id
where
    operation.kind = 'cancel_hold'
    and operation.state = 'confirmed'
    and operation.basis = 'answer'
    and operation.requested_at > now() - interval '8 days'
    and wallet.balance = (sent.evidence ->> 'balance_before')::numeric
    -- Nothing else of ours moved the wallet since.
    and not exists (
        select
        from wallet.operation as later
        where
            later.customer_id = operation.customer_id
            and later.wallet_id = operation.wallet_id
            and later.requested_at > operation.requested_at
    )
    and exists (
        select
        from sync.roster as roster
        where
            roster.organization_id = operation.organization_id
            and roster.customer_id = operation.customer_id
            and roster.confirmed_at > operation.state_at + interval '10 minutes'
    )
    and wallet.hold_had_lowered_balance(operation.operation_id)
