-- Removes what is left of customers that the mirror no longer has, where somebody removed their row by hand: else they could not be written anew.
delete from syrve.wallet_balance as orphan
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

delete from syrve.card as orphan
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

delete from syrve.customer_category as orphan
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
