-- Writes down how each look-up of the batch ended and when the next is due: sooner where something changed, later and later where nothing
-- does, with a tenth of jitter so that identities imported together drift apart.
with outcome as (
    select
        looked.organization_id,
        looked.identity_kind,
        looked.identity_value,
        looked.outcome,
        looked.customer_id,
        looked.checked_at,
        case
            when looked.outcome = 'failed'
                then least(%(ceiling_seconds)s, %(failed_seconds)s * power(2, least(known.misses, 16)))
            when looked.outcome = 'not_found'
                then least(%(ceiling_seconds)s, %(floor_seconds)s * power(2, least(known.misses, 16)))
            when looked.outcome = 'found' and merged.customer_id is null
                then least(%(ceiling_seconds)s, 2 * coalesce(known.refresh_seconds, %(floor_seconds)s / 2))
            else %(floor_seconds)s
        end as refresh_seconds
    from staging_lookup as looked
    inner join sync.roster as known
        on
            looked.organization_id = known.organization_id
            and looked.identity_kind = known.identity_kind
            and looked.identity_value = known.identity_value
    left join (select distinct organization_id, customer_id from staging_merged) as merged
        on looked.organization_id = merged.organization_id and looked.customer_id = merged.customer_id
)

update sync.roster as roster
set
    checked_at = case when outcome.outcome = 'failed' then roster.checked_at else outcome.checked_at end,
    outcome = outcome.outcome,
    customer_id = coalesce(outcome.customer_id, roster.customer_id),
    misses = case when outcome.outcome = 'found' then 0 else roster.misses + 1 end,
    refresh_seconds = case when outcome.outcome = 'failed' then roster.refresh_seconds else outcome.refresh_seconds end,
    due_at = outcome.checked_at + make_interval(secs => outcome.refresh_seconds * (0.95 + 0.1 * random())),
    lease = null,
    leased_until = null
from outcome
where
    roster.organization_id = outcome.organization_id
    and roster.identity_kind = outcome.identity_kind
    and roster.identity_value = outcome.identity_value
    and roster.lease = %(lease)s;
