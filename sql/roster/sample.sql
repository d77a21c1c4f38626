-- The roster in cells of identities that are alike, from as many of its pages as make a fair picture: fitting and sharing out the budget cost the same
-- for ten million identities as for a hundred thousand. Those that are looked at by the clock have a separate share and are not among them.
select
    organization_id::text,
    band,
    weight,
    count(*) * %(scale)s::double precision as identities,
    avg(changes) as changes,
    avg(exposure_days) as exposure_days,
    avg(1 / (1 + odds)) as still_comes,
    count(*) filter (where is_overdue) * %(scale)s::double precision as overdue
from (
    select
        known.organization_id,
        sync.change_band(known.outcome, known.changes, stopped.odds) as band,
        stopped.odds,
        known.weight,
        known.changes,
        known.exposure_days,
        known.is_overdue
    from (
        select
            organization_id,
            outcome,
            checked_at,
            changed_at,
            coalesce(weight, 1) * power(2.0::double precision, greatest(-4, least(4, priority::integer))) as weight,
            coalesce(changes, 0)::double precision as changes,
            coalesce(exposure_days, 0)::double precision as exposure_days,
            checked_at is not null and due_at < now() - interval '3 hours' as is_overdue
        from sync.roster tablesample system (%(percent)s)  -- noqa: PRS
        where (active_until is null or active_until < now()) and due_at < 'infinity'
    ) as known
    left join sync.refresh_fit as fit on known.organization_id = fit.organization_id
    cross join
        lateral (
            select
                sync.odds_of_stopping(
                    known.changes + coalesce(fit.shape, 1),
                    known.exposure_days + coalesce(fit.shape, 1) / coalesce(fit.mean_per_day, 1 / 60.0),
                    coalesce(extract(epoch from known.checked_at - known.changed_at) / 86400, 0)::double precision
                ) as odds
        ) as stopped
) as identity
group by organization_id, band, weight, round(3 * ln(changes + 0.05)), round(3 * ln(exposure_days + 1))
order by organization_id;
