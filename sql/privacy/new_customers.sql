-- Which of these customers does the mirror not have? No row if no person was erased: it is asked to recognise a person who comes back under another id.
select
    asked.organization_id::text as organization_id,
    asked.customer_id::text as customer_id
from unnest(%(organization_ids)s::uuid[], %(customer_ids)s::uuid[]) as asked (organization_id, customer_id)
where
    exists (select from privacy.erasure as done where done.erased_at is not null)
    and not exists (
        select
        from syrve.customer as mirrored
        where mirrored.organization_id = asked.organization_id and mirrored.customer_id = asked.customer_id
    );
