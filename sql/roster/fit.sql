-- Stores what was learned of an organization and the threshold that spends its account's budget.
insert into sync.refresh_fit as known (
    organization_id, shape, mean_per_day, calibration, theta, max_interval_days, observed, expected, identities, lookups_per_day, keeps_max_age, fitted_at,
    signalled_share, signal_evidence
)
values (
    %(organization_id)s, %(shape)s, %(mean_per_day)s, %(calibration)s, %(theta)s, %(max_interval_days)s, %(observed)s, %(expected)s, %(identities)s,
    %(lookups_per_day)s, %(keeps_max_age)s, now(), %(signalled_share)s, %(signal_evidence)s
)
on conflict (organization_id) do update
    set
        shape = excluded.shape,
        mean_per_day = excluded.mean_per_day,
        calibration = excluded.calibration,
        theta = excluded.theta,
        max_interval_days = excluded.max_interval_days,
        observed = excluded.observed,
        expected = excluded.expected,
        identities = excluded.identities,
        lookups_per_day = excluded.lookups_per_day,
        keeps_max_age = excluded.keeps_max_age,
        fitted_at = excluded.fitted_at,
        signalled_share = excluded.signalled_share,
        signal_evidence = excluded.signal_evidence;
