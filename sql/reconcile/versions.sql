-- Writes the versions: of the moment, and of the later moment that is to stay as it was.
with numbered as (
    select
        change.*,
        (
            select coalesce(max(version.version), 0)
            from wallet.finding_version as version
            where version.finding_id = change.finding_id
        ) as last_version
    from staging_change as change
)

insert into wallet.finding_version (finding_id, version, as_of, status, severity, amount_at_risk, evidence, reason, run_id)
select
    numbered.finding_id,
    numbered.last_version + 1 as version,
    %(as_of)s,
    numbered.status,
    numbered.severity,
    numbered.amount_at_risk,
    numbered.evidence,
    numbered.reason,
    %(run_id)s
from numbered
union all
select
    numbered.finding_id,
    numbered.last_version + 2 as version,
    %(next_as_of)s::timestamptz as as_of,
    numbered.restored_status as status,
    numbered.restored_severity as severity,
    numbered.restored_amount as amount_at_risk,
    numbered.restored_evidence as evidence,
    'as found before: ' || numbered.restored_status as reason,
    %(run_id)s
from numbered
where numbered.restored_status is not null;
