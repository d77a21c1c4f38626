-- check: phone_unique
-- meaning: Two customers of one organization who are not deleted have the same phone, and both have been so for a day: one was not looked up
--   again after the phone moved, or Syrve really has two.
-- what to do: Start syrve_backfill for both ids. If both stay, tell Syrve's support: a phone leads to one customer only.
select
    array_agg(customer_id::text order by customer_id) as subject,
    organization_id::text || ': the same phone' as detail
from syrve.customer
where not is_deleted and phone is not null
group by organization_id, phone
having count(*) > 1 and max(profile_changed_at) < now() - interval '1 day'
