-- Open rejects, the newest first; of the identity its end only unless it is asked for in clear. Those of one reason are looked for among as many as are
-- counted by reason.
select
    reject_id,
    entity,
    stage,
    reason,
    case
        when %(clear)s then identity
        else repeat('*', length(identity) - least(2, length(identity) / 2)) || right(identity, least(2, length(identity) / 2))
    end as identity,
    case when %(clear)s then left(payload::text, 500) end as payload,
    case when jsonb_typeof(payload -> 'received' -> 'line') = 'number' then payload -> 'received' ->> 'line' end as line,
    case when stage = 'import' and jsonb_typeof(payload -> 'received' -> 'place') = 'string' then payload -> 'received' ->> 'place' end as place,
    organization_id::text as organization_id,
    occurrences,
    first_seen_at,
    last_seen_at,
    run_id
from (
    select *
    from sync.reject
    where
        resolved_at is null
        and (%(entity)s::text is null or entity = %(entity)s)
        and (%(stage)s::text is null or stage = %(stage)s)
        and (%(run_id)s::text is null or run_id = %(run_id)s)
    order by reject_id desc
    limit %(most_searched)s
) as open_reject
where %(reason_key)s::text is null or left(encode(sha256(convert_to(reason, 'UTF8')), 'hex'), 16) = %(reason_key)s
order by reject_id desc
limit %(most)s;
