-- Chooses the staged identities for a backfill, where no answer is as fresh as asked for, and tells how many were new to it. Takes over what
-- another backfill has chosen.
with reached as materialized (
    select
        known.organization_id,
        known.identity_kind,
        known.identity_value
    from sync.roster as known
    where
        (known.checked_at is null or known.checked_at < %(not_refreshed_since)s)
        and known.backfill_id is distinct from %(backfill_id)s
        and (known.organization_id, known.identity_kind, known.identity_value) in (
            select
                staged.organization_id,
                staged.identity_kind,
                staged.identity_value
            from staging_roster as staged
        )
    order by known.organization_id, known.identity_kind, known.identity_value
    for no key update of known
),

chosen as (
    update sync.roster as roster
    set
        backfill_id = %(backfill_id)s,
        due_at = case when roster.outcome = 'failed' then least(roster.due_at, now()) else roster.due_at end
    from reached
    where
        roster.organization_id = reached.organization_id
        and roster.identity_kind = reached.identity_kind
        and roster.identity_value = reached.identity_value
    returning 1
)

select count(*) as chosen
from chosen;
