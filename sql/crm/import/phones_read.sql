-- Notes the phones just read.
insert into crm.push_state as known (crm_id, organization_id, customer_id, phone_read, phone)
select
    wished.crm_id,
    wished.organization_id,
    wished.customer_id,
    %(region)s || ' ' || wished.phone as phone_read,
    read.phone
from staging_phone as read
inner join crm.customer as wished on read.crm_id = wished.crm_id and read.received = wished.phone
order by wished.crm_id
on conflict (crm_id) do update
    set phone_read = excluded.phone_read, phone = excluded.phone;
