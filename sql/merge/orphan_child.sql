-- Removes the rows of one list whose customer was deleted from the mirror by hand: otherwise the customer could not be inserted again.
-- `syrve/customers/children.py` fills in the names.
delete from syrve.%(child)s as orphan
using staging_merged as merged
where
    merged.is_new
    and orphan.organization_id = merged.organization_id
    and orphan.customer_id = merged.customer_id
    and not exists (
        select 1
        from syrve.customer as mirrored
        where mirrored.organization_id = orphan.organization_id and mirrored.customer_id = orphan.customer_id
    );
