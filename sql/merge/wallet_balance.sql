-- Brings the wallets of the customers that differ into step: what an answer's list no longer has is removed (an answer
-- without the list removes nothing), what is new or different is written, and every version that this ends goes to the history.
-- A wallet that only has another name is no other balance: no version, no activity.
with gone as (
    delete from syrve.wallet_balance as mirrored
    using staging_merged as merged
    where
        not merged.is_new
        and mirrored.organization_id = merged.organization_id
        and mirrored.customer_id = merged.customer_id
        and not exists (
            select 1
            from staging_wallet_balance as staged
            where
                staged.organization_id = mirrored.organization_id
                and staged.customer_id = mirrored.customer_id
                and staged.wallet_id = mirrored.wallet_id
        )
        and not exists (
            select 1
            from staging_absent as absent
            where
                absent.organization_id = mirrored.organization_id
                and absent.customer_id = mirrored.customer_id
                and absent.list = 'walletBalances'
        )
    returning
        mirrored.organization_id,
        mirrored.customer_id,
        mirrored.wallet_id,
        mirrored.name,
        mirrored.type,
        mirrored.balance,
        null::numeric as balance_after,
        mirrored.changed_at as valid_from,
        merged.fetched_at as valid_to
),

different as (
    select
        mirrored.organization_id,
        mirrored.customer_id,
        mirrored.wallet_id,
        mirrored.name,
        mirrored.type,
        mirrored.balance,
        staged.balance as balance_after,
        mirrored.changed_at as valid_from,
        merged.fetched_at as valid_to
    from staging_wallet_balance as staged
    inner join staging_merged as merged
        on staged.organization_id = merged.organization_id and staged.customer_id = merged.customer_id
    inner join syrve.wallet_balance as mirrored
        on
            staged.organization_id = mirrored.organization_id
            and staged.customer_id = mirrored.customer_id
            and staged.wallet_id = mirrored.wallet_id
    where
        not merged.is_new
        and (mirrored.type, mirrored.balance) is distinct from (staged.type, staged.balance)
),

kept as (
    insert into syrve.wallet_balance_version (
        organization_id, customer_id, wallet_id, name, type, balance, balance_after, valid_from, valid_to
    )
    select * from gone
    union all
    select * from different
    returning organization_id, customer_id
),

written as (
    insert into syrve.wallet_balance as mirrored (
        organization_id, customer_id, wallet_id, name, type, balance, changed_at, fetched_at
    )
    select
        staged.organization_id,
        staged.customer_id,
        staged.wallet_id,
        staged.name,
        staged.type,
        staged.balance,
        merged.fetched_at as changed_at,
        merged.fetched_at
    from staging_wallet_balance as staged
    inner join staging_merged as merged
        on staged.organization_id = merged.organization_id and staged.customer_id = merged.customer_id
    where not merged.is_new
    on conflict (organization_id, customer_id, wallet_id) do update
        set
            name = excluded.name,
            type = excluded.type,
            balance = excluded.balance,
            changed_at = case
                when (mirrored.type, mirrored.balance) is distinct from (excluded.type, excluded.balance) then excluded.changed_at
                else mirrored.changed_at
            end,
            fetched_at = excluded.fetched_at
        where
        (mirrored.name, mirrored.type, mirrored.balance)
        is distinct from (excluded.name, excluded.type, excluded.balance)
    returning mirrored.organization_id, mirrored.customer_id, mirrored.changed_at, mirrored.fetched_at
),

noted as (
    update staging_merged as merged
    set wallet_changed = true
    where
        (merged.organization_id, merged.customer_id) in (
            select organization_id, customer_id from kept
            union all
            select organization_id, customer_id from written where changed_at = fetched_at
        )
    returning merged.customer_id
)

select (select count(*) from kept) + (select count(*) from written) as touched;
