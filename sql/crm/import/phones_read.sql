-- Notes the phones just read.
insert into crm.push_state as known (crm_id, organization_id, customer_id, phone_read, phone)
select
    desired.crm_id,
    desired.organization_id,
    desired.customer_id,
    %(region)s || ' ' || desired.phone as phone_read,
    read.phone
from staging_received_phone as read
inner join crm.customer as desired on read.crm_id = desired.crm_id and read.received = desired.phone
order by desired.crm_id
on conflict (crm_id) do update
    set phone_read = excluded.phone_read, phone = excluded.phone;
