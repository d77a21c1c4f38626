-- Organizations by name, those that were listed last first.
select organization_id::text as organization_id, name, synced_at
from syrve.organization
order by synced_at desc, name
limit 100;
