-- Asks for the erasure of a person, once per run.
insert into privacy.erasure (dag_id, run_id, organization_id, customer_id, phone, requested_by)
select
    %(dag_id)s,
    %(run_id)s,
    %(organization_id)s::uuid,
    %(customer_id)s::uuid,
    %(phone)s,
    %(requested_by)s
where not exists (
    select 1
    from privacy.erasure as asked
    where
        asked.dag_id = %(dag_id)s
        and asked.run_id = %(run_id)s
        and asked.organization_id = %(organization_id)s::uuid
        and asked.customer_id is not distinct from %(customer_id)s::uuid
        and asked.phone is not distinct from %(phone)s
);
