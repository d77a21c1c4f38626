-- Counts again what was open as of a moment, and what opened and closed since the moment evaluated before it.
with former as (
    select max(evaluation.as_of) as as_of
    from wallet.finding_evaluation as evaluation
    where evaluation.organization_id = %(organization_id)s and evaluation.as_of < %(counted_at)s
),

moment as (
    select
        %(counted_at)s::timestamptz as as_of,
        false as is_former
    union all
    select
        former.as_of,
        true as is_former
    from former
    where former.as_of is not null
),

found_open as materialized (
    select
        moment.is_former,
        finding.finding_id,
        finding.rule,
        latest.severity,
        coalesce(latest.amount_at_risk, 0) as amount
    from moment
    inner join wallet.finding as finding
        on
            finding.organization_id = %(organization_id)s
            and moment.as_of >= finding.first_seen_at
            and (finding.resolved_at is null or moment.as_of <= finding.resolved_at)
    inner join lateral (
        select
            version.status,
            version.severity,
            version.amount_at_risk
        from wallet.finding_version as version
        where version.finding_id = finding.finding_id and version.as_of <= moment.as_of
        order by version.as_of desc, version.version desc
        limit 1
    ) as latest on latest.status in ('open', 'acknowledged')
),

compared as (
    select
        coalesce(present.rule, past.rule) as rule,
        coalesce(present.severity, past.severity) as severity,
        present.amount as open_amount,
        past.amount as past_amount
    from (select * from found_open where not is_former) as present
    full join (select * from found_open where is_former) as past on present.finding_id = past.finding_id
),

emptied as (
    delete from wallet.finding_count as counted
    where
        counted.organization_id = %(organization_id)s
        and counted.as_of = %(counted_at)s
        and not exists (
            select
            from compared
            where compared.rule = counted.rule and compared.severity = counted.severity
        )
)

insert into wallet.finding_count (
    organization_id,
    as_of,
    rule,
    severity,
    open_count,
    open_amount,
    opened_count,
    opened_amount,
    closed_count,
    closed_amount,
    run_id
)
select
    %(organization_id)s::uuid as organization_id,
    %(counted_at)s::timestamptz as as_of,
    compared.rule,
    compared.severity,
    count(compared.open_amount) as open_count,
    coalesce(sum(compared.open_amount), 0) as open_amount,
    count(*) filter (where compared.past_amount is null) as opened_count,
    coalesce(sum(compared.open_amount) filter (where compared.past_amount is null), 0) as opened_amount,
    count(*) filter (where compared.open_amount is null) as closed_count,
    coalesce(sum(compared.past_amount) filter (where compared.open_amount is null), 0) as closed_amount,
    %(run_id)s
from compared
group by compared.rule, compared.severity
on conflict (organization_id, as_of, rule, severity) do update
    set
        open_count = excluded.open_count,
        open_amount = excluded.open_amount,
        opened_count = excluded.opened_count,
        opened_amount = excluded.opened_amount,
        closed_count = excluded.closed_count,
        closed_amount = excluded.closed_amount,
        run_id = excluded.run_id,
        recorded_at = clock_timestamp();
