-- A customer who is named by id and known under another identity is looked up under that one alone; likewise by an identity that another one covers
-- (cover.sql).
with named as (
    select
        staged.organization_id,
        staged.identity_kind,
        staged.identity_value,
        coalesce(known.customer_id, case when staged.identity_kind = 'id' then staged.identity_value::uuid end) as customer_id
    from staging_roster as staged
    left join sync.roster as known
        on
            staged.organization_id = known.organization_id
            and staged.identity_kind = known.identity_kind
            and staged.identity_value = known.identity_value
    where known.due_at = 'infinity' or (known.due_at is null and staged.identity_kind = 'id')
),

looked_up as (
    select distinct on (named.organization_id, named.identity_kind, named.identity_value)
        named.organization_id,
        named.identity_kind as named_kind,
        named.identity_value as named_value,
        roster.identity_kind,
        roster.identity_value
    from named
    inner join sync.roster as roster
        on
            named.organization_id = roster.organization_id
            and named.customer_id = roster.customer_id
            and roster.outcome = 'found'
            and roster.due_at < 'infinity'
    order by named.organization_id asc, named.identity_kind asc, named.identity_value asc, roster.identity_kind desc, roster.identity_value asc
)

update staging_roster as staged
set
    identity_kind = looked_up.identity_kind,
    identity_value = looked_up.identity_value
from looked_up
where
    staged.organization_id = looked_up.organization_id
    and staged.identity_kind = looked_up.named_kind
    and staged.identity_value = looked_up.named_value;
