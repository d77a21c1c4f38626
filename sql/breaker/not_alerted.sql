-- Gives breakers back whose alert was not taken by any channel: the next run tells of them.
update sync.breaker
set alerted_at = null
where breaker_id = any(%(breaker_ids)s::bigint[]);
