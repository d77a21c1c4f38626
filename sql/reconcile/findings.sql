-- Brings the findings up to date: those with new versions show the newest moment, for any evaluated moment.
update wallet.finding as known
set
    severity = latest.severity,
    amount_at_risk = latest.amount_at_risk,
    evidence = latest.evidence,
    status = latest.status,
    first_seen_at = least(known.first_seen_at, %(as_of)s),
    last_seen_at = case when latest.kind <> 'closed' then greatest(known.last_seen_at, %(as_of)s) else known.last_seen_at end,
    resolved_at = case
        when latest.status in ('open', 'acknowledged') then null
        when latest.status = 'released' then coalesce(known.resolved_at, latest.as_of)
        else latest.as_of
    end
from (
    select
        change.finding_id,
        change.kind,
        version.status,
        version.severity,
        version.amount_at_risk,
        version.evidence,
        version.as_of,
        row_number() over (partition by change.finding_id order by version.as_of desc, version.version desc) as place
    from staging_change as change
    inner join wallet.finding_version as version on change.finding_id = version.finding_id
) as latest
where known.finding_id = latest.finding_id and latest.place = 1;

-- Whose it is may have been told only later.
update wallet.finding as known
set
    last_seen_at = greatest(known.last_seen_at, %(as_of)s),
    customer_id = coalesce(found.customer_id, known.customer_id),
    wallet_id = coalesce(found.wallet_id, known.wallet_id),
    hold_id = coalesce(found.hold_id, known.hold_id)
from staging_finding as found
where
    known.rule = found.rule
    and known.subject = found.subject
    and (
        known.last_seen_at < %(as_of)s
        or (known.customer_id, known.wallet_id, known.hold_id) is distinct from (
            coalesce(found.customer_id, known.customer_id), coalesce(found.wallet_id, known.wallet_id), coalesce(found.hold_id, known.hold_id)
        )
    );
