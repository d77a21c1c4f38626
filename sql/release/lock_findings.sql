-- Locks the findings that a person was shown about a hold: the statements that follow see what others have committed, versions included.
select finding.finding_id::text
from wallet.finding as finding
where
    finding.finding_id in (
        select shown.finding_id
        from wallet.release as release
        cross join lateral jsonb_to_recordset(release.findings) as shown (finding_id uuid)
        where release.release_id = %(release_id)s
    )
order by finding.finding_id
for update of finding;
