-- Makes every customer of the organizations due at once, not under identities that another covers; locks them in the order of the key, as merges do.
with later as materialized (
    select
        organization_id,
        identity_kind,
        identity_value
    from sync.roster
    where organization_id = any(%(organization_ids)s::uuid[]) and due_at > now() and due_at < 'infinity'
    order by organization_id, identity_kind, identity_value
    for no key update
)

update sync.roster as known
set due_at = now()
from later
where
    known.organization_id = later.organization_id
    and known.identity_kind = later.identity_kind
    and known.identity_value = later.identity_value;
