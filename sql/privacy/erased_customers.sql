-- Which customers of a batch were erased? Erasures wait until this transaction ends.
select
    erased.organization_id::text as organization_id,
    erased.customer_id::text as customer_id
from privacy.erased_customers(%(organization_ids)s::uuid[], %(customer_ids)s::uuid[]) as erased;
