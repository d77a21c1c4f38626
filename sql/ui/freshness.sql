-- How fresh the mirror was when it was counted last: a row per organization.
select
    kept.organization_id::text as organization_id,
    coalesce(organization.name, kept.organization_id::text) as organization_name,
    kept.counted_at,
    kept.identities,
    kept.found,
    kept.not_found,
    kept.rejected,
    kept.failed,
    kept.never_checked,
    kept.overdue,
    kept.fresher_than_1h,
    kept.fresher_than_24h,
    kept.fresher_than_7d,
    kept.interval_up_to_1h,
    kept.interval_up_to_1d,
    kept.interval_up_to_7d,
    kept.interval_up_to_30d,
    kept.interval_over_30d,
    kept.oldest,
    kept.longest_overdue,
    kept.expected_mean_delay,
    kept.expected_mean_age,
    kept.promised_max_age,
    kept.keeps_max_age,
    kept.lookups_per_day,
    kept.calls_per_minute
from sync.freshness_kept as kept
left join syrve.organization as organization on kept.organization_id = organization.organization_id
order by organization_name;
