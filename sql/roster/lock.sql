-- Takes the customers of the batch for the length of the transaction: every identity under which they are known is locked, in the order of
-- the key, so that two batches that share a customer follow one another and the later one sees what the earlier one confirmed.
select count(*)
from (
    select 1
    from sync.roster as known
    inner join staging_digest as staged
        on known.organization_id = staged.organization_id and known.customer_id = staged.customer_id
    order by known.organization_id, known.identity_kind, known.identity_value
    for no key update of known
) as locked;
