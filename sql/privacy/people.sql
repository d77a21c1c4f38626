-- Whom do the staged identities name? One line per customer, those whom Syrve merged included, or per phone that has none. `candidates` above 1 is
-- ambiguous.
with named as (
    select
        staged.organization_id,
        case when staged.identity_kind = 'phone' then staged.identity_value end as phone,
        array(
            select staged.identity_value::uuid
            where staged.identity_kind = 'id'
            union
            select known.customer_id
            from sync.roster as known
            where
                staged.identity_kind <> 'id'
                and known.organization_id = staged.organization_id
                and known.identity_kind = staged.identity_kind
                and known.identity_value = staged.identity_value
                and known.customer_id is not null
            union
            select mirrored.customer_id
            from syrve.customer as mirrored
            where
                staged.identity_kind = 'phone'
                and mirrored.organization_id = staged.organization_id
                and mirrored.phone = staged.identity_value
                and not mirrored.is_deleted
            union
            select held.customer_id
            from syrve.card as held
            where
                held.organization_id = staged.organization_id
                and (
                    (staged.identity_kind = 'card' and held.track = staged.identity_value)
                    or (staged.identity_kind = 'card_number' and held.number = staged.identity_value)
                )
        ) as customer_ids
    from staging_roster as staged
),

person as (
    select
        named.organization_id,
        same.customer_id,
        case when cardinality(named.customer_ids) = 0 then named.phone end as phone,
        cardinality(named.customer_ids) as candidates,
        named.customer_ids[1] as named_id
    from named
    left join lateral (
        select id.customer_id
        from privacy.same_person(named.organization_id, named.customer_ids[1]) as id (customer_id)
        where cardinality(named.customer_ids) = 1
    ) as same on true
)

select distinct
    person.organization_id::text as organization_id,
    person.customer_id::text as customer_id,
    person.phone,
    person.candidates,
    array(
        select distinct found.hindrance
        from privacy.same_person(person.organization_id, person.named_id) as id (customer_id)
        cross join lateral privacy.hindrances(person.organization_id, id.customer_id) as found (hindrance)
        where person.candidates = 1
        order by found.hindrance
    ) as hindrances
from person;
