-- Chooses the next identities of one organization's roster for a backfill: those of which no answer is as fresh as asked for. Walks along the
-- primary key, a step at a time: `after_kind` and `after_value` are where the step before ended. Gives what was reached, in order, and
-- whether each was new to this backfill. Takes over what another backfill has chosen.
with reached as materialized (
    select
        organization_id,
        identity_kind,
        identity_value,
        backfill_id
    from sync.roster
    where
        organization_id = %(organization_id)s
        and (identity_kind, identity_value) > (%(after_kind)s, %(after_value)s)
        and (checked_at is null or checked_at < %(not_refreshed_since)s)
        and due_at < 'infinity'
    order by identity_kind, identity_value
    limit %(step_limit)s
    for no key update
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
        and reached.backfill_id is distinct from %(backfill_id)s
    returning 1
)

select
    count(*) as reached,
    (select count(*) from chosen) as chosen,
    (array_agg(identity_kind order by identity_kind desc, identity_value desc))[1] as last_kind,
    (array_agg(identity_value order by identity_kind desc, identity_value desc))[1] as last_value
from reached;
