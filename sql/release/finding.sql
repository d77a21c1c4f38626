-- Brings the findings that a person was shown about a hold into a status (null: the one they have) and keeps a version of each that says why.
-- Evidence is added where one is released; while it is open its evidence is the rule's. One that reconciliation has closed because the hold was
-- gone is released all the same; any other that is closed stays as it is.
with changed as (
    update wallet.finding as finding
    set
        status = coalesce(%(status)s, finding.status),
        resolved_at = case
            when %(status)s::text = 'released' then coalesce(finding.resolved_at, statement_timestamp())
            else finding.resolved_at
        end,
        evidence = case
            when %(status)s::text = 'released' then finding.evidence || jsonb_build_object('release', %(evidence)s::jsonb)
            else finding.evidence
        end
    where
        finding.finding_id = any(%(finding_ids)s::uuid[])
        and (finding.resolved_at is null or (%(status)s::text = 'released' and finding.status = 'resolved'))
    returning finding.finding_id, finding.status, finding.severity, finding.amount_at_risk, finding.evidence
)

insert into wallet.finding_version (
    finding_id, version, as_of, status, severity, amount_at_risk, evidence, reason, run_id
)
select
    changed.finding_id,
    coalesce(
        (
            select max(former.version)
            from wallet.finding_version as former
            where former.finding_id = changed.finding_id
        ),
        0
    )
    + 1 as version,
    greatest(
        statement_timestamp(),
        (
            select max(former.as_of)
            from wallet.finding_version as former
            where former.finding_id = changed.finding_id
        )
    ) as as_of,
    changed.status,
    changed.severity,
    changed.amount_at_risk,
    changed.evidence,
    %(reason)s,
    %(run_id)s
from changed;
