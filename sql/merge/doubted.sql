-- Who of these customers, of whom an answer has just shown nothing, keeps the profile that the mirror has? Each who had several personal fields, unless an
-- earlier run got the same answer under the same identity, and no answer under any identity has shown the customer since.
with asked as (
    select
        row.organization_id,
        row.customer_id,
        row.identity
    from unnest(%(organization_ids)s::uuid[], %(customer_ids)s::uuid[], %(identities)s::text[]) as row (organization_id, customer_id, identity)
)

select
    mirrored.organization_id::text as organization_id,
    mirrored.customer_id::text as customer_id
from syrve.customer as mirrored
where
    exists (
        select
        from asked
        where asked.organization_id = mirrored.organization_id and asked.customer_id = mirrored.customer_id
    )
    and num_nonnulls(
        mirrored.phone_raw, mirrored.name, mirrored.surname, mirrored.middle_name, mirrored.email, mirrored.birthday
    ) > 1
    and not exists (
        select
        from asked
        inner join sync.reject as told
            on
                asked.organization_id = told.organization_id
                and asked.identity = told.identity
        where
            asked.organization_id = mirrored.organization_id
            and asked.customer_id = mirrored.customer_id
            and told.entity = 'customer'
            and told.stage = 'look_up'
            and told.reason = %(reason)s
            and told.resolved_at is null
            and told.run_id <> %(run_id)s
            and not exists (
                select
                from sync.roster as shown
                where
                    shown.organization_id = mirrored.organization_id
                    and shown.customer_id = mirrored.customer_id
                    and shown.confirmed_at > told.last_seen_at
            )
    );
