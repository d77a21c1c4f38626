-- A customer who is named by id and known under another identity is looked up under that one: adding the id would have them looked up twice
-- for ever after.
update staging_roster as staged
set
    identity_kind = known.identity_kind,
    identity_value = known.identity_value
from (
    select distinct on (named.organization_id, named.identity_value)
        named.organization_id,
        named.identity_value as customer_id,
        roster.identity_kind,
        roster.identity_value
    from staging_roster as named
    inner join sync.roster as roster
        on named.organization_id = roster.organization_id and named.identity_value::uuid = roster.customer_id and roster.outcome = 'found'
    where
        named.identity_kind = 'id'
        and not exists (
            select 1
            from sync.roster as by_id
            where
                by_id.organization_id = named.organization_id
                and by_id.identity_kind = 'id'
                and by_id.identity_value = named.identity_value
        )
    order by named.organization_id asc, named.identity_value asc, roster.identity_kind desc, roster.identity_value asc
) as known
where
    staged.organization_id = known.organization_id
    and staged.identity_kind = 'id'
    and staged.identity_value = known.customer_id;
