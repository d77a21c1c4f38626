-- How many of the staged identities would choose_named.sql choose, by organization? Those that the roster does not have yet are among them.
select
    named.organization_id::text,
    count(*) as identities
from (
    select distinct
        organization_id,
        identity_kind,
        identity_value
    from staging_roster
) as named
left join sync.roster as known
    on
        named.organization_id = known.organization_id
        and named.identity_kind = known.identity_kind
        and named.identity_value = known.identity_value
where known.checked_at is null or known.checked_at < %(not_refreshed_since)s
group by named.organization_id
order by named.organization_id;
