-- The figures of the overview: each counts what is open now, by a separate index, and stops at %(most_counted)s.
-- noqa: disable=AM09
select
    (select count(*) from (select from sync.roster where checked_at is not null and due_at <= now() limit %(most_counted)s + 1) as due) as overdue,
    (select count(*) from (select from sync.reject where resolved_at is null limit %(most_counted)s + 1) as open_reject) as rejects,
    (
        select count(*)
        from (
            select
            from sync.approval as asked
            where
                asked.asked_at > now() - interval '14 days'
                and (asked.answer_until is null or asked.answer_until > now())
                and not exists (
                    select from sync.approval_event as event
                    where event.approval_id = asked.approval_id and event.state <> 'not_counted'
                )
            limit %(most_counted)s + 1
        ) as open_approval
    ) as approvals,
    (
        select count(*)
        from (select from crm.conflict where closed_at is null and outcome = 'waits' and decision is null limit %(most_counted)s + 1) as waiting
    ) as conflicts,
    (select count(*) from sync.breaker where decision is null) as breakers,
    (select count(*) from (select from crm.push_blocked limit %(most_counted)s + 1) as blocked_row) as blocked,
    finding.findings,
    finding.grave,
    finding.at_risk,
    held.holds,
    held.held,
    exists(select from sync.roster) as has_roster,
    exists(select from syrve.customer) as has_customers,
    (
        select run.updated_at
        from sync.run as run
        where run.calls > 0 and run.updated_at > now() - interval '7 days'
        order by run.updated_at desc
        limit 1
    ) as last_call_at
from (
    select
        count(*) as findings,
        count(*) filter (where severity in ('critical', 'high')) as grave,
        coalesce(sum(amount_at_risk), 0) as at_risk
    from (
        -- One hold may have several findings: its money counts once.
        select
            max(amount_at_risk) as amount_at_risk,
            case when bool_or(severity in ('critical', 'high')) then 'high' end as severity
        from (
            select hold_id, finding_id, amount_at_risk, severity from wallet.finding where resolved_at is null limit %(most_counted)s + 1
        ) as open_finding
        group by coalesce(hold_id, finding_id)
    ) as by_hold
) as finding
cross join (
    select count(*) as holds, coalesce(sum(amount), 0) as held
    from (select amount from wallet.hold where closed_at is null limit %(most_counted)s + 1) as open_hold
) as held;
