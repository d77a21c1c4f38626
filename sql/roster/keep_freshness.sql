-- Counts how fresh the mirror is, a row per organization.
with counted as (
    insert into sync.freshness_kept (
        organization_id, counted_at, identities, found, not_found, rejected, failed, never_checked, overdue, fresher_than_1h, fresher_than_24h,
        fresher_than_7d, interval_up_to_1h, interval_up_to_1d, interval_up_to_7d, interval_up_to_30d, interval_over_30d, oldest,
        longest_overdue, expected_mean_delay, expected_mean_age, promised_max_age, keeps_max_age, lookups_per_day, calls_per_minute
    )
    select
        organization_id, now() as counted_at, identities, found, not_found, rejected, failed, never_checked, overdue, fresher_than_1h, fresher_than_24h,
        fresher_than_7d, interval_up_to_1h, interval_up_to_1d, interval_up_to_7d, interval_up_to_30d, interval_over_30d, oldest,
        longest_overdue, expected_mean_delay, expected_mean_age, promised_max_age, keeps_max_age, lookups_per_day, calls_per_minute
    from analytics.sync_freshness
    on conflict (organization_id) do update
        set
            counted_at = excluded.counted_at,
            identities = excluded.identities,
            found = excluded.found,
            not_found = excluded.not_found,
            rejected = excluded.rejected,
            failed = excluded.failed,
            never_checked = excluded.never_checked,
            overdue = excluded.overdue,
            fresher_than_1h = excluded.fresher_than_1h,
            fresher_than_24h = excluded.fresher_than_24h,
            fresher_than_7d = excluded.fresher_than_7d,
            interval_up_to_1h = excluded.interval_up_to_1h,
            interval_up_to_1d = excluded.interval_up_to_1d,
            interval_up_to_7d = excluded.interval_up_to_7d,
            interval_up_to_30d = excluded.interval_up_to_30d,
            interval_over_30d = excluded.interval_over_30d,
            oldest = excluded.oldest,
            longest_overdue = excluded.longest_overdue,
            expected_mean_delay = excluded.expected_mean_delay,
            expected_mean_age = excluded.expected_mean_age,
            promised_max_age = excluded.promised_max_age,
            keeps_max_age = excluded.keeps_max_age,
            lookups_per_day = excluded.lookups_per_day,
            calls_per_minute = excluded.calls_per_minute
    returning organization_id
)

delete from sync.freshness_kept as kept
where kept.organization_id not in (select counted.organization_id from counted);
