-- Phones of candidates that were not read yet: new ones, changed ones, and all of them once the region is another.
select
    desired.crm_id,
    desired.phone
from staging_candidate as candidate
inner join crm.customer as desired on candidate.crm_id = desired.crm_id
left join crm.push_state as known on candidate.crm_id = known.crm_id
where
    btrim(desired.phone) <> ''
    and known.phone_read is distinct from %(region)s || ' ' || desired.phone
order by desired.crm_id;
