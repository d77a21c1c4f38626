-- What did followed signals lead to? A look-up whose answer came after the signal was taken says so; if none comes within a day, it is not known. The
-- balance that the look-up saw is kept beside the one that was notified.
with looked as materialized (
    select
        reported.signal_id,
        reported.organization_id,
        reported.kind,
        case when reported.is_new then reported.identity_kind else 'known' end as whom,
        reported.content_key,
        reported.received_at,
        reported.identity_kind,
        reported.identity_value,
        case when known.checked_at > reported.taken_at and known.outcome <> 'failed' then known.checked_at end as looked_at,
        -- That no customer has an identity which the roster lacked is no change.
        coalesce(known.changed_at >= reported.taken_at and (known.outcome = 'found' or not reported.is_new), false) as has_changed
    from sync.signal as reported
    left join sync.roster as known
        on
            reported.organization_id = known.organization_id
            and reported.identity_kind = known.identity_kind
            and reported.identity_value = known.identity_value
    where
        reported.is_followed
        and reported.evaluated_at is null
        and (
            (known.checked_at > reported.taken_at and known.outcome <> 'failed')
            or reported.taken_at < now() - interval '1 day'
        )
    order by reported.signal_id
    limit %(batch_signals)s
    for update of reported skip locked
),

evaluated as (
    update sync.signal as reported
    set
        evaluated_at = clock_timestamp(),
        looked_at = looked.looked_at,
        led_to_change = case when looked.looked_at is not null then looked.has_changed end,
        identity_value = case when reported.identity_kind = 'id' then reported.identity_value end
    from looked
    where reported.signal_id = looked.signal_id
    returning 1
),

learned as (
    insert into sync.signal_precision as kept (organization_id, kind, whom, hits, trials)
    select
        organization_id,
        kind,
        whom,
        count(*) filter (where has_changed) as hits,
        count(*) as trials
    from (
        select distinct
            organization_id,
            kind,
            whom,
            identity_kind,
            identity_value,
            looked_at,
            has_changed
        from looked
        where looked_at is not null
    ) as look_up
    group by organization_id, kind, whom
    order by organization_id, kind, whom
    on conflict (organization_id, kind, whom) do update
        set
            -- What is beyond the last hundred look-ups counts less and less.
            hits = kept.hits * (100 / (100 + excluded.trials)) + excluded.hits,
            trials = kept.trials * (100 / (100 + excluded.trials)) + excluded.trials,
            updated_at = now()
    returning 1
),

counted as (
    insert into sync.signal_day as kept (organization_id, kind, day, looked, led_to_change, delay_seconds)
    select
        organization_id,
        kind,
        (received_at at time zone 'UTC')::date as day,
        count(*) as looked,
        count(*) filter (where has_changed) as led_to_change,
        coalesce(sum(extract(epoch from looked_at - received_at)) filter (where has_changed), 0) as delay_seconds
    from looked
    where looked_at is not null
    group by organization_id, kind, (received_at at time zone 'UTC')::date
    order by organization_id, kind, (received_at at time zone 'UTC')::date
    on conflict (organization_id, kind, day) do update
        set
            looked = kept.looked + excluded.looked,
            led_to_change = kept.led_to_change + excluded.led_to_change,
            delay_seconds = kept.delay_seconds + excluded.delay_seconds
    returning 1
),

confirmed as (
    update wallet.notified_movement as moved
    set looked_at = looked.looked_at, balance_seen = mirrored.balance
    from looked, syrve.wallet_balance as mirrored
    where
        looked.looked_at is not null
        and moved.organization_id = looked.organization_id
        and moved.content_key = looked.content_key
        and mirrored.organization_id = moved.organization_id
        and mirrored.customer_id = moved.customer_id
        and mirrored.wallet_id = moved.wallet_id
    returning 1
)

select
    (select count(*) from evaluated) as evaluated,
    (select count(*) from looked where looked_at is not null and has_changed) as led_to_change,
    (select count(*) from learned) as kinds,
    (select count(*) from counted) as days,
    (select count(*) from confirmed) as movements;
