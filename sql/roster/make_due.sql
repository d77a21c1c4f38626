-- Makes some customers of one organization due now, under every identity that no other covers, and keeps them active for a while if asked: for callers that know that
-- something happened to them, such as a hold or a push. Who is being looked up at this moment is looked up once more (roster/finish.sql).
-- Locks in the order of the key, as merges do.
with concerned as materialized (
    select
        organization_id,
        identity_kind,
        identity_value
    from sync.roster
    where organization_id = %(organization_id)s and customer_id = any(%(customer_ids)s::uuid[]) and due_at < 'infinity'
    order by organization_id, identity_kind, identity_value
    for no key update
)

update sync.roster as known
set
    due_at = case when known.lease is null then least(known.due_at, now()) else now() end,
    active_until = case
        when %(active_for_seconds)s > 0 then greatest(known.active_until, now() + make_interval(secs => %(active_for_seconds)s))
        else known.active_until
    end
from concerned
where
    known.organization_id = concerned.organization_id
    and known.identity_kind = concerned.identity_kind
    and known.identity_value = concerned.identity_value;
