-- Closes the open rejects of identities that have now been imported without that problem.
update sync.reject as known
set resolved_at = now()
from staging_lookup as looked
where
    known.resolved_at is null
    and known.entity = 'customer'
    and known.organization_id = looked.organization_id
    and known.identity = looked.identity_kind || ' ' || looked.identity_value
    and looked.outcome in ('found', 'not_found')
    and not exists (
        select 1
        from staging_reject as again
        where
            again.entity = known.entity
            and again.organization_id = known.organization_id
            and again.identity = known.identity
            and again.stage = known.stage
            and again.reason = known.reason
    );
