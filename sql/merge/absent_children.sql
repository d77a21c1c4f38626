-- Where does the mirror have children of a customer whose answer had no list of them? They stay, and it is noted under each identity looked up.
select
    looked.organization_id::text as organization_id,
    looked.identity_kind,
    looked.identity_value,
    absent.list
from staging_absent as absent
inner join staging_lookup as looked
    on absent.organization_id = looked.organization_id and absent.customer_id = looked.customer_id
where
    (
        absent.list = 'walletBalances'
        and exists (
            select 1
            from syrve.wallet_balance as child
            where child.organization_id = absent.organization_id and child.customer_id = absent.customer_id
        )
    )
    or (
        absent.list = 'cards'
        and exists (
            select 1
            from syrve.card as child
            where child.organization_id = absent.organization_id and child.customer_id = absent.customer_id
        )
    )
    or (
        absent.list = 'categories'
        and exists (
            select 1
            from syrve.customer_category as child
            where child.organization_id = absent.organization_id and child.customer_id = absent.customer_id
        )
    )
order by looked.organization_id, looked.identity_kind, looked.identity_value, absent.list;
