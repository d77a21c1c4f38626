-- Under which identity is the customer of each signal looked up? The one under which they were found; else their id or phone, if the roster has it;
-- else the id, or the phone, as a new one. A phone that leads to another customer than the one named is not theirs.
with person as materialized (
    select distinct
        organization_id,
        customer_id,
        phone
    from staging_signal
    where customer_id is not null or phone is not null
),

found as materialized (
    select
        person.organization_id,
        person.customer_id,
        person.phone,
        known.identity_kind,
        known.identity_value
    from person
    left join lateral (
        (
            select
                roster.identity_kind,
                roster.identity_value
            from sync.roster as roster
            where roster.organization_id = person.organization_id and roster.customer_id = person.customer_id
            order by (roster.outcome = 'found') desc nulls last, (roster.identity_kind = 'id') desc, roster.identity_kind, roster.identity_value
            limit 1
        )
        union all
        (
            select
                roster.identity_kind,
                roster.identity_value
            from sync.roster as roster
            where
                roster.organization_id = person.organization_id
                and roster.identity_kind = 'id'
                and roster.identity_value = person.customer_id::text
        )
        union all
        (
            select
                roster.identity_kind,
                roster.identity_value
            from sync.roster as roster
            where
                roster.organization_id = person.organization_id
                and roster.identity_kind = 'phone'
                and roster.identity_value = person.phone
                and (person.customer_id is null or roster.customer_id is null or roster.customer_id = person.customer_id)
        )
        limit 1  -- noqa: AM09
    ) as known on true
)

update staging_signal as staged
set
    identity_kind = coalesce(found.identity_kind, case when staged.customer_id is not null then 'id' else 'phone' end),
    identity_value = coalesce(found.identity_value, staged.customer_id::text, staged.phone),
    is_known = found.identity_kind is not null
from found
where
    staged.organization_id = found.organization_id
    and staged.customer_id is not distinct from found.customer_id
    and staged.phone is not distinct from found.phone;
