-- Phones of candidates that were not read yet: new ones, changed ones, and all of them once the region is another.
select
    wished.crm_id,
    wished.phone
from staging_candidate as candidate
inner join crm.customer as wished on candidate.crm_id = wished.crm_id
left join crm.push_state as known on candidate.crm_id = known.crm_id
where
    btrim(wished.phone) <> ''
    and known.phone_read is distinct from %(region)s || ' ' || wished.phone
order by wished.crm_id;
