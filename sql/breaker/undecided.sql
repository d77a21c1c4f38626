-- The breakers that wait for a decision, the oldest first.
select
    breaker.breaker_id,
    breaker.kind,
    breaker.field
from sync.breaker as breaker
where breaker.decision is null
order by breaker.tripped_at
limit 20;
