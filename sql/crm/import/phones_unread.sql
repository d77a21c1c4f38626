-- Phones of the CRM's rows in another form than E.164 that were not read yet, so that lines find those rows by phone.
select
    desired.crm_id,
    desired.phone
from crm.customer as desired
left join crm.push_state as known on desired.crm_id = known.crm_id
where
    crm.written_text(desired.phone) is not null
    and desired.phone !~ '^[+][1-9][0-9]{6,14}$'
    and known.phone_read is distinct from %(region)s || ' ' || desired.phone
order by desired.crm_id
limit %(most)s;
