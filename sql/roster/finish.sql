-- Writes down how each look-up of the batch ended and when the next is due: soon where something changed, sooner still where money moved, later
-- and later where nothing does, with a tenth of jitter so that identities imported together drift apart. An organization's own settings
-- (sync.refresh_policy) come before the project's.
with looked as (
    select
        staged.organization_id,
        staged.identity_kind,
        staged.identity_value,
        staged.outcome,
        staged.customer_id,
        staged.checked_at,
        known.misses,
        known.refresh_seconds,
        merged.customer_id is not null as has_changed,
        coalesce(merged.wallet_changed, false) as wallet_changed,
        coalesce(policy.floor_seconds, %(floor_seconds)s) as floor_seconds,
        coalesce(policy.ceiling_seconds, greatest(%(ceiling_seconds)s, policy.floor_seconds)) as ceiling_seconds,
        coalesce(policy.not_found_ceiling_seconds, %(not_found_ceiling_seconds)s) as not_found_ceiling_seconds,
        coalesce(policy.active_floor_seconds, %(active_floor_seconds)s) as active_floor_seconds,
        case
            when coalesce(merged.wallet_changed, false) and coalesce(policy.active_for_seconds, %(active_for_seconds)s) > 0
                then staged.checked_at + make_interval(secs => coalesce(policy.active_for_seconds, %(active_for_seconds)s))
            when known.active_until > staged.checked_at then known.active_until
        end as active_until
    from staging_lookup as staged
    inner join sync.roster as known
        on
            staged.organization_id = known.organization_id
            and staged.identity_kind = known.identity_kind
            and staged.identity_value = known.identity_value
    left join staging_merged as merged
        on staged.organization_id = merged.organization_id and staged.customer_id = merged.customer_id
    left join sync.refresh_policy as policy on staged.organization_id = policy.organization_id
),

outcome as (
    select
        looked.*,
        case
            when looked.outcome = 'failed'
                then least(looked.ceiling_seconds, %(failed_seconds)s * power(2, least(looked.misses, 16)))
            when looked.outcome in ('not_found', 'rejected')
                then least(looked.not_found_ceiling_seconds, looked.floor_seconds * power(2, least(looked.misses, 16)))
            when looked.wallet_changed and looked.active_until is not null then looked.active_floor_seconds
            when looked.has_changed then looked.floor_seconds
            when looked.active_until is not null
                then least(
                    looked.floor_seconds,
                    greatest(looked.active_floor_seconds, 2 * coalesce(looked.refresh_seconds, looked.active_floor_seconds / 2))
                )
            else least(looked.ceiling_seconds, greatest(looked.floor_seconds, 2 * coalesce(looked.refresh_seconds, 0)))
        end as next_seconds
    from looked
)

update sync.roster as roster
set
    checked_at = case when outcome.outcome = 'failed' then roster.checked_at else outcome.checked_at end,
    outcome = outcome.outcome,
    customer_id = coalesce(outcome.customer_id, roster.customer_id),
    misses = case when outcome.outcome = 'found' then 0 else roster.misses + 1 end,
    refresh_seconds = case when outcome.outcome = 'failed' then roster.refresh_seconds else outcome.next_seconds end,
    active_until = outcome.active_until,
    due_at = outcome.checked_at + make_interval(secs => outcome.next_seconds * (0.95 + 0.1 * random())),
    backfill_id = case when outcome.outcome = 'failed' then roster.backfill_id end,
    lease = null,
    leased_until = null
from outcome
where
    roster.organization_id = outcome.organization_id
    and roster.identity_kind = outcome.identity_kind
    and roster.identity_value = outcome.identity_value
    and roster.lease = %(lease)s;
