-- Returns the undecided breaker of an organization, kind and field, and opens it where there is none.
with opened as (
    insert into sync.breaker (organization_id, kind, field, run_id, looked, affected, allowed)
    values (%(organization_id)s, %(kind)s, %(field)s, %(run_id)s, %(looked)s, %(affected)s, %(allowed)s)
    on conflict (organization_id, kind, field) where decision is null do update set kind = excluded.kind
    returning breaker_id
)

select breaker_id from opened;
