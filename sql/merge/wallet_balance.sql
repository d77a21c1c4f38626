-- Brings the wallets of the customers just merged into step: gone ones are removed, new and different ones are written.
delete from syrve.wallet_balance as mirrored
using staging_merged as merged
where
    mirrored.organization_id = merged.organization_id
    and mirrored.customer_id = merged.customer_id
    and not exists (
        select 1
        from staging_wallet_balance as staged
        where
            staged.organization_id = mirrored.organization_id
            and staged.customer_id = mirrored.customer_id
            and staged.wallet_id = mirrored.wallet_id
    );

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
on conflict (organization_id, customer_id, wallet_id) do update
    set
        name = excluded.name,
        type = excluded.type,
        balance = excluded.balance,
        changed_at = excluded.changed_at,
        fetched_at = excluded.fetched_at
    where (mirrored.name, mirrored.type, mirrored.balance) is distinct from (excluded.name, excluded.type, excluded.balance);
