-- What the mirror has of customers whose answer looks as if something was lost: of those only whom the answer would change. Each is looked for by its
-- key, as in roster/lock.sql.
with asked as materialized (
    select
        row.organization_id,
        row.customer_id,
        decode(row.digest, 'hex') as digest,
        row.fetched_at
    from unnest(
        %(organization_ids)s::uuid[], %(customer_ids)s::uuid[], %(digests)s::text[], %(moments)s::timestamptz[]
    ) as row (organization_id, customer_id, digest, fetched_at)
)

select
    asked.organization_id::text as organization_id,
    asked.customer_id::text as customer_id,
    mirrored.fields,
    exists(
        select
        from syrve.wallet_balance as wallet
        where wallet.organization_id = asked.organization_id and wallet.customer_id = asked.customer_id
    ) as has_wallets,
    mirrored.birthday,
    mirrored.name,
    mirrored.surname,
    mirrored.middle_name,
    mirrored.email
from asked
inner join lateral (
    select
        customer.name,
        customer.surname,
        customer.middle_name,
        customer.email,
        customer.birthday,
        num_nonnulls(
            customer.phone_raw, customer.name, customer.surname, customer.middle_name, customer.email, customer.birthday
        ) as fields
    from syrve.customer as customer
    where
        customer.organization_id = asked.organization_id
        and customer.customer_id = asked.customer_id
        and not customer.is_deleted
        and customer.digest is distinct from asked.digest
        and customer.fetched_at < asked.fetched_at
    offset 0  -- noqa: AM09
) as mirrored on true;
