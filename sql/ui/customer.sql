-- The customers of an id or a phone, masked unless they are asked for in clear.
select
    customer.organization_id::text as organization_id,
    coalesce(organization.name, customer.organization_id::text) as organization_name,
    customer.customer_id::text as customer_id,
    case when %(clear)s then customer.phone else '***' || right(customer.phone, 2) end as phone,
    case when %(clear)s then customer.email when customer.email is not null then '***' end as email,
    case when %(clear)s then customer.name when customer.name is not null then '***' end as name,
    case when %(clear)s then customer.surname when customer.surname is not null then '***' end as surname,
    case when %(clear)s then customer.birthday::text when customer.birthday is not null then '***' end as birthday,
    customer.is_deleted,
    customer.first_seen_at,
    customer.changed_at,
    customer.fetched_at,
    (
        select coalesce(jsonb_agg(jsonb_build_object('name', wallet.name, 'balance', wallet.balance::text) order by wallet.name), '[]')
        from syrve.wallet_balance as wallet
        where wallet.organization_id = customer.organization_id and wallet.customer_id = customer.customer_id
    ) as wallets,
    identity.checked_at,
    identity.due_at
from syrve.customer as customer
left join syrve.organization as organization on customer.organization_id = organization.organization_id
left join lateral (
    select max(roster.checked_at) as checked_at, min(roster.due_at) as due_at
    from sync.roster as roster
    where roster.organization_id = customer.organization_id and roster.customer_id = customer.customer_id
) as identity on true
where
    (%(customer_id)s::uuid is null or customer.customer_id = %(customer_id)s::uuid)
    and (%(phone)s::text is null or customer.phone = %(phone)s)
order by organization_name
limit 20;
