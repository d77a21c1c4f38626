-- Which customers of staging_digest are new to the mirror or differ from it? They are noted in staging_merged. An answer that is not newer than the
-- mirror's, or than the last one that confirmed it, changes nothing. Each is looked for by its key, as in roster/lock.sql.
insert into staging_merged as merged (organization_id, customer_id, fetched_at, is_new)
select
    staged.organization_id,
    staged.customer_id,
    staged.fetched_at,
    mirrored.customer_id is null as is_new
from staging_digest as staged
left join lateral (
    select
        customer.customer_id,
        customer.digest,
        customer.fetched_at
    from syrve.customer as customer
    where customer.organization_id = staged.organization_id and customer.customer_id = staged.customer_id
    offset 0  -- noqa: AM09
) as mirrored on true
where
    mirrored.customer_id is null
    or (
        mirrored.digest is distinct from staged.digest
        and staged.fetched_at > mirrored.fetched_at
        and not exists (
            select 1
            from sync.roster as known
            where
                known.organization_id = staged.organization_id
                and known.customer_id = staged.customer_id
                and known.confirmed_at >= staged.fetched_at
        )
    )
returning merged.organization_id::text, merged.customer_id::text, merged.is_new;
