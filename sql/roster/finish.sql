-- Writes down how each look-up of the batch ended and when the next is due: soon where something changed, sooner still where money moved, later
-- and later where nothing does, with a tenth of jitter so that identities imported together drift apart. An organization's own settings
-- (sync.refresh_policy) come before the project's. Where the lease was lost meanwhile, the answer counts all the same if it is the newest, but
-- the lease stays with whoever has it now. Who was made due while being looked up stays due
-- (but not by this transaction: roster/moved.sql). Nobody is due again before now, however slow the clock of the worker: a pull must come to its end.
-- Each row is looked for by its key, as in lock.sql. They are locked, so each is still in the place where it was found, and going there is cheaper than
-- Postgres thinks: it was read a moment ago.
set local random_page_cost to 1.1;

with looked as (
    select
        known.place,
        staged.organization_id,
        staged.identity_kind,
        staged.identity_value,
        staged.outcome,
        staged.customer_id,
        staged.checked_at,
        known.misses,
        known.refresh_seconds,
        coalesce(known.lease = %(lease)s, false) as is_ours,
        (known.checked_at is null or known.checked_at < staged.checked_at) as is_newest,
        case
            when
                known.lease = %(lease)s
                and known.due_at <= clock_timestamp()
                and known.due_at <> now()
                and known.due_at > known.leased_until - make_interval(secs => %(lease_seconds)s)
                then known.due_at
        end as made_due_at,
        case
            when staged.outcome = 'found' and (known.customer_id is null or known.customer_id <> staged.customer_id)
                then staged.checked_at
            when
                staged.outcome = 'found'
                or (
                    staged.outcome = 'not_found'
                    and staged.identity_kind = 'id'
                    and staged.identity_value = known.customer_id::text
                )
                then greatest(known.confirmed_at, staged.checked_at)
            else known.confirmed_at
        end as confirmed_at,
        merged.customer_id is not null as has_changed,
        coalesce(merged.wallet_changed, false) as wallet_changed,
        limits.floor_seconds,
        limits.ceiling_seconds,
        coalesce(policy.not_found_ceiling_seconds, %(not_found_ceiling_seconds)s) as not_found_ceiling_seconds,
        least(coalesce(policy.active_floor_seconds, %(active_floor_seconds)s), limits.floor_seconds) as active_floor_seconds,
        case
            when coalesce(merged.wallet_changed, false) and coalesce(policy.active_for_seconds, %(active_for_seconds)s) > 0
                then staged.checked_at + make_interval(secs => coalesce(policy.active_for_seconds, %(active_for_seconds)s))
            when known.active_until > staged.checked_at then known.active_until
        end as active_until
    from staging_lookup as staged
    inner join lateral (
        select
            roster.*,
            roster.ctid as place
        from sync.roster as roster
        where
            roster.organization_id = staged.organization_id
            and roster.identity_kind = staged.identity_kind
            and roster.identity_value = staged.identity_value
        offset 0  -- noqa: AM09
    ) as known on true
    left join staging_merged as merged
        on staged.organization_id = merged.organization_id and staged.customer_id = merged.customer_id
    left join sync.refresh_policy as policy on staged.organization_id = policy.organization_id
    cross join lateral (
        select
            least(coalesce(policy.floor_seconds, %(floor_seconds)s), policy.ceiling_seconds) as floor_seconds,
            coalesce(policy.ceiling_seconds, greatest(%(ceiling_seconds)s, policy.floor_seconds)) as ceiling_seconds
    ) as limits
),

scheduled as (
    select
        looked.*,
        looked.outcome <> 'failed' and looked.is_newest as counts,
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
    checked_at = case when scheduled.counts then scheduled.checked_at else roster.checked_at end,
    confirmed_at = case when scheduled.counts then scheduled.confirmed_at else roster.confirmed_at end,
    outcome = case when scheduled.is_newest then scheduled.outcome else roster.outcome end,
    customer_id = case when scheduled.counts then coalesce(scheduled.customer_id, roster.customer_id) else roster.customer_id end,
    misses = case when scheduled.outcome = 'found' then 0 else roster.misses + 1 end,
    refresh_seconds = case when scheduled.outcome = 'failed' then roster.refresh_seconds else scheduled.next_seconds end,
    active_until = scheduled.active_until,
    due_at = coalesce(
        scheduled.made_due_at,
        greatest(scheduled.checked_at, now()) + make_interval(secs => scheduled.next_seconds * (0.95 + 0.1 * random()))
    ),
    backfill_id = case when scheduled.outcome = 'failed' then roster.backfill_id end,
    lease = case when scheduled.is_ours then null else roster.lease end,
    leased_until = case when scheduled.is_ours then null else roster.leased_until end
from scheduled
where
    roster.ctid = scheduled.place
    and (scheduled.is_ours or scheduled.counts);
