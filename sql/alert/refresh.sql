-- Opens an alert for each condition that holds, keeps the words of those that go on, and ends those that hold no longer. Reads a row per
-- organization, operation without outcome and run of the last hour: nothing that grows with history.
with condition as (
    select
        'freshness_promise' as kind,
        kept.organization_id::text as subject,
        format(
            '%%s: the oldest answer is %%s days old, promised are %%s', coalesce(organization.name, kept.organization_id::text),
            round((extract(epoch from kept.oldest + (now() - kept.counted_at)) / 86400)::numeric, 1),
            round((extract(epoch from kept.promised_max_age) / 86400)::numeric, 1)
        ) as detail
    from sync.freshness_kept as kept
    left join syrve.organization as organization on kept.organization_id = organization.organization_id
    where kept.oldest + (now() - kept.counted_at) > kept.promised_max_age + interval '1 day'
    union all
    select
        'budget_exhausted' as kind,
        fit.organization_id::text as subject,
        format(
            '%%s: the budget gives %%s look-ups a day, too few to look at all customers as often as promised',
            coalesce(organization.name, fit.organization_id::text), round(fit.lookups_per_day)
        ) as detail
    from sync.refresh_fit as fit
    left join syrve.organization as organization on fit.organization_id = organization.organization_id
    where not fit.keeps_max_age
    union all
    select
        'budget_exhausted' as kind,
        'Syrve' as subject,
        format('Syrve refused %%s of %%s calls of the runs of the last hour (429)', sum(rate_limited), sum(calls)) as detail
    from sync.run
    where updated_at > now() - interval '1 hour'
    having sum(rate_limited) >= %(refused_at_least)s and sum(rate_limited) >= %(refused_share)s * sum(calls)
    union all
    (
        select
            'money_unsettled' as kind,
            operation_id::text as subject,
            format(
                'operation %%s (%%s of %%s) has had no outcome since %%s UTC', operation_id, kind, coalesce(amount::text, 'an amount not known'),
                to_char(coalesce(sent_at, planned_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
            ) as detail
        from wallet.unsettled_operation
        where
            settled_at is null
            and state in ('planned', 'sent', 'unknown')
            and coalesce(sent_at, planned_at) < now() - make_interval(secs => %(unsettled_seconds)s)
        order by coalesce(sent_at, planned_at)
        limit %(most)s
    )
    union all
    select
        'dag_failing' as kind,
        failing.dag_id as subject,
        failing.detail
    from unnest(%(dag_ids)s::text[], %(dag_details)s::text[]) as failing (dag_id, detail)
),

ended as (
    update sync.alert as known
    set ended_at = now()
    where
        known.ended_at is null
        and not exists (select from condition where condition.kind = known.kind and condition.subject = known.subject)
)

insert into sync.alert (kind, subject, detail)
select
    kind,
    subject,
    detail
from condition
on conflict (kind, subject) where ended_at is null do update set detail = excluded.detail;
