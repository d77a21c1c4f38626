-- Phones of the CRM's rows in another form than E.164 that were not read yet, so that lines find those rows by phone.
select
    wished.crm_id,
    wished.phone
from crm.customer as wished
left join crm.push_state as known on wished.crm_id = known.crm_id
where
    crm.written_text(wished.phone) is not null
    and wished.phone !~ '^[+][1-9][0-9]{6,14}$'
    and known.phone_read is distinct from %(region)s || ' ' || wished.phone
order by wished.crm_id
limit %(most)s;
