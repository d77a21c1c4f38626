-- Makes the customers of followed signals due now. Who is being looked up at this moment is looked up once more (roster/finish.sql). Locks in the order
-- of the key, as merges do.
with concerned as materialized (
    select
        known.organization_id,
        known.identity_kind,
        known.identity_value
    from sync.roster as known
    where
        (known.organization_id, known.identity_kind, known.identity_value) in (
            select
                staged.organization_id,
                staged.identity_kind,
                staged.identity_value
            from staging_signal as staged
            where staged.is_followed
        )
    order by known.organization_id, known.identity_kind, known.identity_value
    for no key update
)

update sync.roster as known
set due_at = case when known.lease is null then least(known.due_at, now()) else now() end
from concerned
where
    known.organization_id = concerned.organization_id
    and known.identity_kind = concerned.identity_kind
    and known.identity_value = concerned.identity_value;
