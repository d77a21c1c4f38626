-- Looks at what look-ups after a push show. What they show as acknowledged is confirmed; what they do not is a finding in sync.reject (entity
-- crm_customer, stage read_back), unless the answer may have been on its way already when the push was acknowledged. Either way the mirror
-- speaks for itself again from here on. What was acknowledged while this looked (another version) is left for the next plan.
with awaited as (
    select
        known.crm_id,
        known.organization_id,
        known.pushed,
        known.pushed_at,
        known.agreed_version,
        state.fields,
        greatest(
            state.fetched_at,
            (
                select max(roster.checked_at)
                from sync.roster as roster
                where
                    roster.organization_id = known.organization_id
                    and roster.customer_id = known.customer_id
                    and roster.outcome = 'found'
            )
        ) as looked_at
    from crm.push_state as known
    inner join crm.syrve_state as state
        on known.organization_id = state.organization_id and known.customer_id = state.customer_id
    where known.pushed is not null
),

differing as (
    select
        awaited.crm_id,
        awaited.organization_id,
        string_agg(distinct split_part(change.key, ':', 1), ', ') as fields
    from awaited
    cross join lateral jsonb_each(awaited.pushed) as change
    where
        split_part(change.key, ':', 1) <> 'program'
        and coalesce(awaited.fields ->> change.key, case when strpos(change.key, ':') > 0 then 'false' end)
        is distinct from change.value ->> 'to'
    group by awaited.crm_id, awaited.organization_id
),

looked as (
    select
        awaited.crm_id,
        awaited.agreed_version
    from awaited
    left join differing on awaited.crm_id = differing.crm_id
    where
        awaited.looked_at > awaited.pushed_at
        and (
            differing.crm_id is null
            or awaited.looked_at > awaited.pushed_at + make_interval(secs => %(in_flight_seconds)s)
        )
),

shown as (
    update crm.push_state as known
    set pushed = null, is_settled = false
    from looked
    where known.crm_id = looked.crm_id and known.agreed_version = looked.agreed_version
    returning known.crm_id
),

unshown as (
    select differing.*
    from differing
    inner join shown on differing.crm_id = shown.crm_id
),

found as (
    insert into sync.reject as finding (run_id, entity, organization_id, identity, stage, reason)
    select
        %(run_id)s as run,
        'crm_customer' as entity,
        organization_id,
        'crm_id ' || crm_id as identity,
        'read_back' as stage,
        'Syrve acknowledged a change of ' || fields || ', but the look-up after it shows something else' as reason
    from unshown
    on conflict (entity, organization_id, identity, stage, reason) where resolved_at is null do update
        set run_id = excluded.run_id, occurrences = finding.occurrences + 1, last_seen_at = now()
    returning finding.reject_id
)

select
    (select count(*) from shown) as looked,
    (select count(*) from found) as unshown;
