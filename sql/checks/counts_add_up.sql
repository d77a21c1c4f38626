-- check: counts_add_up
-- meaning: The counts of a pull do not add up: every look-up ends as found, not found, rejected or failed. Or the last final day of
--   syrve.daily_balance differs from the history.
-- what to do: The first is a fault of the project: report it with the run's id. For the second, delete the day's rows of syrve.daily_balance and of all
--   later days as the owner; the next run of syrve_customers adds them up again.
-- blind to: Runs of more than 8 days ago; of the days, all but the last final one.
select
    array[run_id, task, map_index::text] as subject,
    concat(requested, ' requested, ', found, ' found, ', not_found, ' not found, ', rejected, ' rejected, ', failed, ' failed') as detail
from sync.run
where
    updated_at > now() - interval '8 days'
    and task in ('syrve_customers.pull', 'syrve_balances.pull', 'syrve_backfill.pull')
    and requested <> found + not_found + rejected + failed
union all
select
    array[daily.organization_id::text, daily.day::text] as subject,
    concat(daily.wallets, ' wallets in syrve.daily_balance, ', history.wallets, ' in the history') as detail
from (
    select
        organization_id,
        day,
        as_of,
        sum(wallets) as wallets,
        sum(balance) as balance
    from syrve.daily_balance
    where
        is_final
        and (organization_id, day) in (
            select
                finished.organization_id,
                max(finished.day) as day
            from syrve.daily_balance as finished
            where finished.is_final
            group by finished.organization_id
        )
    group by organization_id, day, as_of
) as daily
cross join
    lateral (
        select
            count(*) as wallets,
            coalesce(sum(wallet.balance), 0) as balance
        from syrve.wallet_balance_history as wallet
        where
            wallet.organization_id = daily.organization_id
            and wallet.valid_from <= daily.as_of
            and (wallet.valid_to > daily.as_of or wallet.valid_to is null)
    ) as history
where daily.wallets <> history.wallets or daily.balance <> history.balance
