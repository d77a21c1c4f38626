-- Which of these customers have a phone or an e-mail address of a person who was erased?
select
    asked.organization_id::text as organization_id,
    asked.customer_id::text as customer_id
from
    unnest(%(organization_ids)s::uuid[], %(customer_ids)s::uuid[], %(phones)s::text[], %(emails)s::text[])
        as asked (organization_id, customer_id, phone, email)
where
    privacy.is_erased(asked.organization_id, 'phone', asked.phone)
    or privacy.is_erased(asked.organization_id, 'email', asked.email);
