-- Stores how each look-up of the batch ended, what it teaches about the identity's rate of change, and when the next is due: after theta / sqrt(weight x
-- rate), see sync.refresh_fit. A look-up says "changed since the last one" or "not", so the gamma distribution that stands for the rate is updated by the
-- likelihood of just that: unchanged adds the days watched; changed gives the distribution with the same mean and variance as the exact one. An answer
-- that says when the last order was says more, however many came before it: one change, and none in the days since. What is
-- old counts less, a half every 150 days. Who has stopped coming shows sooner: by the changes that were due by their own rate and did not come
-- (sync.odds_of_stopping), which is also one of the things that bands go by (sync.change_band), each with the correction that look-ups of the organization
-- have shown. An organization's own settings (sync.refresh_policy) come before the project's.
-- A look-up after a signal did not come at any odd time: it says that a change happened then, and the others say only what signals miss. By both it is
-- learned which share of an organization's changes signals report (sync.refresh_fit.signalled_share).
-- If the lease was lost since, the answer counts all the same if it is the newest, but
-- the lease stays with its present holder. Who was made due while being looked up stays due
-- (but not by this transaction: roster/moved.sql). No identity is due again before now, even if the worker's clock is slow: a pull must come to its end.
-- Each row is looked for by its key, as in lock.sql. They are locked, so each is still in the place where it was found, and going there is cheaper than
-- Postgres thinks: it was read a moment ago.
set local random_page_cost to 1.1;

with looked as materialized (
    select
        known.place,
        known.priority,
        known.weight,
        staged.organization_id,
        staged.identity_kind,
        staged.identity_value,
        staged.outcome,
        staged.customer_id,
        staged.checked_at,
        known.misses,
        coalesce(known.lease = %(lease)s, false) as is_ours,
        (known.checked_at is null or known.checked_at < staged.checked_at) as is_newest,
        known.checked_at is null as is_first,
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
        coalesce(
            merged.customer_id is not null and not merged.is_new
            or known.outcome <> 'failed' and known.outcome <> staged.outcome, false
        ) as has_changed,
        case when known.active_until > staged.checked_at then known.active_until end as active_until,
        known.outcome as last_outcome,
        known.changes as known_changes,
        known.exposure_days as known_exposure_days,
        coalesce(extract(epoch from known.checked_at - known.changed_at) / 86400, 0)::double precision as days_since_change,
        known.changed_at,
        gap.days,
        -- Days since the last order, if that came after the last look-up.
        case
            when staged.last_order_at > known.checked_at and staged.last_order_at <= staged.checked_at
                then extract(epoch from staged.checked_at - staged.last_order_at)::double precision / 86400
        end as order_days,
        coalesce(known.changes, 0) * gap.kept as changes,
        coalesce(known.exposure_days, 0) * gap.kept as exposure_days,
        (1 - gap.kept) / 0.0046209812037 as watched_days,
        coalesce(fit.shape, 1) as shape,
        coalesce(fit.mean_per_day, 1 / 60.0) as mean_per_day,
        fit.calibration,
        coalesce(fit.theta, 1) as theta,
        coalesce(fit.signalled_share, 0) as signalled_share,
        exists(
            select
            from sync.signal as reported
            where
                reported.organization_id = staged.organization_id
                and reported.identity_kind = staged.identity_kind
                and reported.identity_value = staged.identity_value
                and reported.is_followed
                and reported.evaluated_at is null
                and reported.taken_at <= staged.checked_at
        ) as is_signalled,
        coalesce(policy.min_interval_seconds, %(min_interval_seconds)s) / 86400.0 as min_days,
        coalesce(
            case when fit.keeps_max_age then least(fit.max_interval_days, 0.93 * policy.max_age_seconds / 86400.0) end,
            fit.max_interval_days,
            coalesce(policy.max_age_seconds, %(max_age_seconds)s) / 86400.0
        ) as max_days,
        coalesce(policy.watch_seconds, %(watch_seconds)s) / 86400.0 as watch_days,
        coalesce(policy.crm_weight, %(crm_weight)s) as crm_weight,
        coalesce(policy.gone_weight, %(gone_weight)s) as gone_weight
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
    left join sync.refresh_fit as fit on staged.organization_id = fit.organization_id
    cross join lateral (
        select
            elapsed.days,
            exp(-0.0046209812037 * elapsed.days) as kept
        from (
            select greatest(60, extract(epoch from staged.checked_at - coalesce(known.checked_at, staged.checked_at))::double precision) / 86400 as days
        ) as elapsed
    ) as gap
),

-- What was expected: a is the shape, b the days, of the customer's own distribution, after the days without a signal; unchanged is the probability that
-- nothing changed, in the days watched, that no signal reported; due the changes to be expected in these days.
expected as materialized (
    select
        looked.*,
        looked.outcome <> 'failed' and looked.is_newest as counts,
        own.a,
        own.b,
        sync.change_band(looked.last_outcome, coalesce(looked.known_changes, 0), stopped.odds) as band,
        1 / (1 + stopped.odds) as still_comes,
        own.b / own.all_days as shrink,
        power(own.b / own.all_days, own.a) as unchanged,
        own.a * ln(own.all_days / (own.all_days - looked.watched_days)) as due
    from looked
    cross join
        lateral (
            select
                looked.changes + looked.shape as a,
                looked.exposure_days + looked.shape / looked.mean_per_day + looked.signalled_share * looked.watched_days as b,
                looked.exposure_days + looked.shape / looked.mean_per_day + looked.watched_days as all_days
        ) as own
    cross join lateral (
        select
            sync.odds_of_stopping(
                coalesce(looked.known_changes, 0) + looked.shape,
                coalesce(looked.known_exposure_days, 0) + looked.shape / looked.mean_per_day,
                looked.days_since_change
            ) as odds
    ) as stopped
),

moments as materialized (
    select
        expected.*,
        exact.mean,
        greatest(exact.square - exact.mean * exact.mean, 1e-9 * exact.mean * exact.mean) as variance
    from expected
    cross join lateral (
        select
            expected.a / expected.b * (1 - expected.unchanged * expected.shrink) / greatest(1 - expected.unchanged, 1e-12) as mean,
            expected.a * (expected.a + 1) / (expected.b * expected.b)
            * (1 - expected.unchanged * expected.shrink * expected.shrink) / greatest(1 - expected.unchanged, 1e-12) as square
    ) as exact
),

learned as materialized (
    select
        moments.*,
        case
            when not moments.counts or moments.is_first then 0
            when not moments.has_changed then moments.changes
            when moments.is_signalled then moments.changes + 1
            when moments.order_days is not null then moments.changes + exp(-0.0046209812037 * moments.order_days)
            when 1 - moments.unchanged < 1e-5 then moments.changes + 1
            else greatest(0, moments.mean * moments.mean / moments.variance - moments.shape)
        end as next_changes,
        case
            when not moments.counts or moments.is_first then 0
            when not moments.has_changed then moments.exposure_days + moments.watched_days
            when moments.is_signalled
                then moments.exposure_days + moments.watched_days * coalesce(nullif(moments.signalled_share, 0), 1)
            when moments.order_days is not null
                then
                    moments.exposure_days + moments.signalled_share * moments.watched_days
                    + (1 - moments.signalled_share) * (1 - exp(-0.0046209812037 * moments.order_days)) / 0.0046209812037
            when 1 - moments.unchanged < 1e-5 then moments.exposure_days
            else greatest(0, moments.mean / moments.variance - moments.shape / moments.mean_per_day)
        end as next_exposure_days,
        case
            when moments.is_first or moments.has_changed or moments.changed_at is null then 0
            else moments.days_since_change + moments.days
        end as next_days_since_change,
        case
            when not (moments.is_first or moments.has_changed) then moments.weight
            when
                moments.outcome in ('not_found', 'rejected')
                or exists (
                    select
                    from syrve.customer as customer
                    where
                        customer.organization_id = moments.organization_id
                        and customer.customer_id = moments.customer_id
                        and customer.is_deleted
                )
                then moments.gone_weight
            when
                exists (
                    select
                    from crm.customer as desired
                    where desired.organization_id = moments.organization_id and desired.customer_id = moments.customer_id
                )
                then moments.crm_weight
        end as next_weight
    from moments
),

scheduled as materialized (
    select
        learned.*,
        case
            when learned.outcome = 'failed'
                then least(learned.max_days, %(failed_seconds)s / 86400.0 * power(2, least(learned.misses, 16)))
            when learned.active_until is not null then least(learned.watch_days, refresh.days)
            else refresh.days
        end as next_days
    from learned
    cross join
        lateral (
            select
                sync.change_rate(learned.next_changes, learned.next_exposure_days, learned.shape, learned.mean_per_day, 1) as per_day
        ) as own
    cross join
        lateral (
            select
                sync.odds_of_stopping(
                    learned.next_changes + learned.shape,
                    learned.next_exposure_days + learned.shape / learned.mean_per_day,
                    learned.next_days_since_change
                ) as odds
        ) as stopped
    cross join lateral (
        select
            sync.refresh_days(
                coalesce(learned.next_weight, 1)
                * power(2.0::double precision, greatest(-4, least(4, learned.priority::integer))),
                own.per_day
                / (1 + stopped.odds)
                * coalesce(learned.calibration[sync.change_band(learned.outcome, learned.next_changes, stopped.odds)], 1),
                learned.theta,
                learned.min_days,
                learned.max_days,
                learned.signalled_share
            ) as days
    ) as refresh
),

banded as materialized (
    select
        organization_id,
        band,
        -- Before signals have proven themselves the look-ups after them say nothing about the rates.
        count(*) filter (where has_changed and (signalled_share > 0 or not is_signalled)) as observed,
        sum(still_comes * (signalled_share * due + case when is_signalled then 0 else 1 - unchanged end)) as expected,
        count(*) filter (where has_changed and is_signalled) as reported,
        sum(still_comes * due) as due,
        count(*) filter (where has_changed and not is_signalled) as missed,
        coalesce(sum(still_comes * (1 - unchanged) / (1 - signalled_share)) filter (where not is_signalled), 0) as missed_expected
    from scheduled
    where counts and not is_first
    group by organization_id, band
),

noted as (
    insert into sync.refresh_evidence (organization_id, noted_at, observed, expected, signal_evidence)
    select
        concerned.organization_id,
        now() as noted_at,
        array_agg(coalesce(banded.observed, 0) order by each.band) as observed,
        array_agg(coalesce(banded.expected, 0) order by each.band) as expected,
        array[sum(banded.reported), sum(banded.due), sum(banded.missed), sum(banded.missed_expected)] as signal_evidence
    from (select distinct organization_id from scheduled where counts and not is_first) as concerned
    cross join generate_series(1, 31) as each (band)
    left join banded on concerned.organization_id = banded.organization_id and each.band = banded.band
    group by concerned.organization_id
)

update sync.roster as roster
set
    checked_at = case when scheduled.counts then scheduled.checked_at else roster.checked_at end,
    confirmed_at = case when scheduled.counts then scheduled.confirmed_at else roster.confirmed_at end,
    outcome = case when scheduled.is_newest then scheduled.outcome else roster.outcome end,
    customer_id = case when scheduled.counts then coalesce(scheduled.customer_id, roster.customer_id) else roster.customer_id end,
    misses = case when scheduled.outcome = 'found' then 0 else roster.misses + 1 end,
    changes = case when scheduled.counts then scheduled.next_changes else roster.changes end,
    exposure_days = case when scheduled.counts then scheduled.next_exposure_days else roster.exposure_days end,
    changed_at = case
        when scheduled.counts and (scheduled.is_first or scheduled.has_changed or roster.changed_at is null) then scheduled.checked_at
        else roster.changed_at
    end,
    weight = case when scheduled.counts then scheduled.next_weight else roster.weight end,
    active_until = scheduled.active_until,
    due_at = coalesce(
        scheduled.made_due_at,
        greatest(scheduled.checked_at, now()) + make_interval(secs => scheduled.next_days * 86400)
    ),
    backfill_id = case when scheduled.outcome = 'failed' then roster.backfill_id end,
    lease = case when scheduled.is_ours then null else roster.lease end,
    leased_until = case when scheduled.is_ours then null else roster.leased_until end
from scheduled
where
    roster.ctid = scheduled.place
    and (scheduled.is_ours or scheduled.counts);
