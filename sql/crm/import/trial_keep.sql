-- Keeps for the rest of a dry run what trial_take.sql gave, after its chunk was taken back.
with taken as (
    select
        (each.written -> 'row' ->> 'crm_id')::bigint as crm_id,
        each.written
    from jsonb_array_elements(%(written)s::jsonb) as each (written)
),

said as (
    insert into staging_crm_said as known (crm_id, fields)
    select
        crm_id,
        written -> 'said' as fields
    from taken
    where jsonb_typeof(written -> 'said') = 'object'
    on conflict (crm_id) do update set fields = excluded.fields
)

insert into staging_crm_trial as known (crm_id, organization_id, customer_id, phone, written)
select
    crm_id,
    (written -> 'row' ->> 'organization_id')::uuid as organization_id,
    (written -> 'row' ->> 'customer_id')::uuid as customer_id,
    written -> 'row' ->> 'phone' as phone,
    written
from taken
on conflict (crm_id) do update
    set
        organization_id = excluded.organization_id,
        customer_id = excluded.customer_id,
        phone = excluded.phone,
        written = excluded.written;
