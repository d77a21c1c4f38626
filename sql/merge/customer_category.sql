-- Brings the category memberships of the customers just merged into step.
delete from syrve.customer_category as mirrored
using staging_merged as merged
where
    mirrored.organization_id = merged.organization_id
    and mirrored.customer_id = merged.customer_id
    and not exists (
        select 1
        from staging_customer_category as staged
        where
            staged.organization_id = mirrored.organization_id
            and staged.customer_id = mirrored.customer_id
            and staged.category_id = mirrored.category_id
    );

insert into syrve.customer_category as mirrored (
    organization_id, customer_id, category_id, name, is_active, is_default_for_new_guests
)
select
    staged.organization_id,
    staged.customer_id,
    staged.category_id,
    staged.name,
    staged.is_active,
    staged.is_default_for_new_guests
from staging_customer_category as staged
inner join staging_merged as merged
    on staged.organization_id = merged.organization_id and staged.customer_id = merged.customer_id
on conflict (organization_id, customer_id, category_id) do update
    set
        name = excluded.name,
        is_active = excluded.is_active,
        is_default_for_new_guests = excluded.is_default_for_new_guests
    where
    (mirrored.name, mirrored.is_active, mirrored.is_default_for_new_guests)
    is distinct from (excluded.name, excluded.is_active, excluded.is_default_for_new_guests);
