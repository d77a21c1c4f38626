-- Closes the open rejects of one organization's records of a kind that have now been imported without that problem: of the identities
-- given, or of all where none are given because the whole listing was read.
update sync.reject as known
set resolved_at = now()
where
    known.resolved_at is null
    and known.entity = %(entity)s
    and known.organization_id = %(organization_id)s
    and (%(identities)s::text[] is null or known.identity = any(%(identities)s::text[]))
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
