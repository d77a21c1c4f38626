-- Notes that the findings of an organization are evaluated as of a moment, and tells of the last time, and of the moments before and after.
with known as (
    select
        evaluation.evaluated_at,
        evaluation.thresholds
    from wallet.finding_evaluation as evaluation
    where evaluation.organization_id = %(organization_id)s and evaluation.as_of = %(as_of)s
),

noted as (
    insert into wallet.finding_evaluation (organization_id, as_of, thresholds, first_evaluated_at, evaluated_at, run_id)
    values (%(organization_id)s, %(as_of)s, %(thresholds)s, %(started_at)s, %(started_at)s, %(run_id)s)
    on conflict (organization_id, as_of) do update
        set thresholds = excluded.thresholds, evaluated_at = excluded.evaluated_at, run_id = excluded.run_id
    returning as_of
)

select
    known.evaluated_at,
    coalesce(known.thresholds <> %(thresholds)s::jsonb, false) as thresholds_changed,
    (
        select min(later.as_of)
        from wallet.finding_evaluation as later
        where later.organization_id = %(organization_id)s and later.as_of > noted.as_of
    ) as next_as_of
from noted
left join known on true;
