-- Brings the category memberships of the customers that differ into step: what an answer's list no longer has is removed (an answer
-- without the list removes nothing), what is new or different is written, and every version that this ends goes to the history.
with gone as (
    delete from syrve.customer_category as mirrored
    using staging_merged as merged
    where
        not merged.is_new
        and mirrored.organization_id = merged.organization_id
        and mirrored.customer_id = merged.customer_id
        and not exists (
            select 1
            from staging_customer_category as staged
            where
                staged.organization_id = mirrored.organization_id
                and staged.customer_id = mirrored.customer_id
                and staged.category_id = mirrored.category_id
        )
        and not exists (
            select 1
            from staging_absent as absent
            where
                absent.organization_id = mirrored.organization_id
                and absent.customer_id = mirrored.customer_id
                and absent.list = 'categories'
        )
    returning
        mirrored.organization_id,
        mirrored.customer_id,
        mirrored.category_id,
        mirrored.name,
        mirrored.is_active,
        mirrored.is_default_for_new_guests,
        mirrored.changed_at as valid_from,
        merged.fetched_at as valid_to
),

different as (
    select
        mirrored.organization_id,
        mirrored.customer_id,
        mirrored.category_id,
        mirrored.name,
        mirrored.is_active,
        mirrored.is_default_for_new_guests,
        mirrored.changed_at as valid_from,
        merged.fetched_at as valid_to
    from staging_customer_category as staged
    inner join staging_merged as merged
        on staged.organization_id = merged.organization_id and staged.customer_id = merged.customer_id
    inner join syrve.customer_category as mirrored
        on
            staged.organization_id = mirrored.organization_id
            and staged.customer_id = mirrored.customer_id
            and staged.category_id = mirrored.category_id
    where
        not merged.is_new
        and (mirrored.name, mirrored.is_active, mirrored.is_default_for_new_guests)
        is distinct from (staged.name, staged.is_active, staged.is_default_for_new_guests)
),

kept as (
    insert into syrve.customer_category_version (
        organization_id, customer_id, category_id, name, is_active, is_default_for_new_guests, valid_from, valid_to
    )
    select * from gone
    union all
    select * from different
    returning organization_id, customer_id
),

written as (
    insert into syrve.customer_category as mirrored (
        organization_id, customer_id, category_id, name, is_active, is_default_for_new_guests, changed_at
    )
    select
        staged.organization_id,
        staged.customer_id,
        staged.category_id,
        staged.name,
        staged.is_active,
        staged.is_default_for_new_guests,
        merged.fetched_at as changed_at
    from staging_customer_category as staged
    inner join staging_merged as merged
        on staged.organization_id = merged.organization_id and staged.customer_id = merged.customer_id
    where not merged.is_new
    on conflict (organization_id, customer_id, category_id) do update
        set
            name = excluded.name,
            is_active = excluded.is_active,
            is_default_for_new_guests = excluded.is_default_for_new_guests,
            changed_at = excluded.changed_at
        where
        (mirrored.name, mirrored.is_active, mirrored.is_default_for_new_guests)
        is distinct from (excluded.name, excluded.is_active, excluded.is_default_for_new_guests)
    returning mirrored.organization_id, mirrored.customer_id
)

select (select count(*) from kept) + (select count(*) from written) as touched;
