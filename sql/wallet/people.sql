-- Finds the customers and wallets that staged rows mean, in the mirror: by id or phone, and by wallet id, type, or there being just one. A row
-- that gives both an id and a phone means the customer of that id only if the phone is theirs.
select
    staged.place,
    count(distinct customer.customer_id) as customers,
    min(customer.customer_id::text) as customer_id,
    count(distinct wallet.wallet_id) as wallets,
    min(wallet.wallet_id::text) as wallet_id,
    coalesce(
        bool_or(staged.customer_id is not null and staged.phone is not null and customer.phone is distinct from staged.phone), false
    ) as disagrees
from staging_person as staged
left join syrve.customer as customer
    on
        staged.organization_id = customer.organization_id
        and (staged.customer_id = customer.customer_id or (staged.customer_id is null and staged.phone = customer.phone))
        and not customer.is_deleted
left join syrve.wallet_balance as wallet
    on
        customer.organization_id = wallet.organization_id
        and customer.customer_id = wallet.customer_id
        and (staged.wallet_id is null or staged.wallet_id = wallet.wallet_id)
        and (staged.wallet_id is not null or %(wallet_type)s::integer is null or %(wallet_type)s::integer = wallet.type)
group by staged.place;
