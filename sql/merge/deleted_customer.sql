-- A customer who was once found by id and is no longer known by it counts as deleted. No other absence deletes anything.
-- The digest goes, so that the customer is written again should it return.
with gone as (
    update syrve.customer as mirrored
    set is_deleted = true, digest = null, changed_at = looked.checked_at, fetched_at = looked.checked_at
    from staging_lookup as looked
    inner join sync.roster as known
        on
            looked.organization_id = known.organization_id
            and looked.identity_kind = known.identity_kind
            and looked.identity_value = known.identity_value
    where
        looked.identity_kind = 'id'
        and looked.outcome = 'not_found'
        and known.customer_id is not null
        and mirrored.organization_id = known.organization_id
        and mirrored.customer_id = known.customer_id
        and not mirrored.is_deleted
        and mirrored.fetched_at < looked.checked_at
    returning mirrored.organization_id, mirrored.customer_id, mirrored.fetched_at
)

insert into staging_merged (organization_id, customer_id, fetched_at)
select
    organization_id,
    customer_id,
    fetched_at
from gone;
