-- Finds rows without an id whose customer the mirror already has under that phone, and notes the id. A customer whom another row has is left.
with found as (
    select
        candidate.crm_id,
        (array_agg(mirrored.customer_id))[1] as customer_id
    from staging_candidate as candidate
    inner join crm.customer as wished on candidate.crm_id = wished.crm_id
    inner join crm.push_state as known on candidate.crm_id = known.crm_id
    inner join syrve.customer as mirrored
        on wished.organization_id = mirrored.organization_id and known.phone = mirrored.phone
    where
        wished.customer_id is null
        and not mirrored.is_deleted
        and not exists (
            select 1
            from crm.customer as other
            where other.organization_id = mirrored.organization_id and other.customer_id = mirrored.customer_id
        )
    group by candidate.crm_id
    having count(*) = 1
),

linked as (
    update crm.customer as wished
    set customer_id = found.customer_id
    from found
    where wished.crm_id = found.crm_id and wished.customer_id is null
    returning wished.crm_id, wished.customer_id
)

update crm.push_state as known
set customer_id = linked.customer_id
from linked
where known.crm_id = linked.crm_id;
