-- What a person is shown of an undecided breaker before they decide: what it holds by a moment, now unless one is given.
select
    breaker.kind,
    breaker.field,
    coalesce(organization.name, breaker.organization_id::text) as organization_name,
    breaker.looked,
    breaker.allowed,
    breaker.tripped_at,
    moment.as_of,
    sync.breaker_digest(breaker.breaker_id, %(decision)s, moment.as_of) as digest,
    (
        select count(*)
        from sync.held_back as held
        where held.breaker_id = breaker.breaker_id and held.held_at <= moment.as_of
    )
    + (
        select count(distinct held.crm_id)
        from crm.push_held_back as held
        where held.breaker_id = breaker.breaker_id and held.held_at <= moment.as_of
    ) as held
from sync.breaker as breaker
cross join (select coalesce(%(as_of)s::timestamptz, clock_timestamp()) as as_of) as moment
left join syrve.organization as organization on breaker.organization_id = organization.organization_id
where breaker.breaker_id = %(breaker_id)s and breaker.decision is null;
