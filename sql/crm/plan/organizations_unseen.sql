-- Which organizations do rows of the CRM name that the api login does not see?
select distinct organization_id::text
from crm.customer
where organization_id <> all(%(organization_ids)s::uuid[])
order by organization_id::text
limit %(most)s;
