-- Takes the breakers of an organization that were not reported yet; each is given out once.
update sync.breaker as known
set alerted_at = now()
where
    known.organization_id = %(organization_id)s
    and known.alerted_at is null
    and known.decision is distinct from 'recovered'
returning
    known.breaker_id,
    known.organization_id::text,
    known.kind,
    known.field,
    known.run_id,
    known.looked,
    known.affected,
    known.allowed,
    known.decision is null as is_held_back;
