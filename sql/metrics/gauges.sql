-- The gauges of docs/metrics.md: one row, one column per gauge, over all organizations together or of the worst of them. Numbers only.
-- In a column's name two underscores stand for a dot.
select
    due.identities_overdue as freshness__identities_overdue,
    due.longest_overdue_seconds as freshness__longest_overdue_seconds,
    fresh.never_checked as freshness__never_checked,
    unknown.operations as money__unknown_outcomes,
    unknown.oldest_seconds as money__oldest_unknown_seconds,
    held.holds as holds__open,
    held.oldest_seconds as holds__oldest_seconds,
    found.dangling as holds__dangling,
    found.findings as findings__open,
    (select count(*) from sync.reject where resolved_at is null) as rejects__open,
    (
        select count(*)
        from crm.push_plan
        where state = 'planned' and plan_id = (select max(newest.plan_id) from crm.push_plan as newest)
    ) as push__waiting,
    (select count(*) from sync.breaker where decision is null) as breakers__undecided,
    budget.customer as budget__customer__calls_per_minute,
    budget.wallet as budget__wallet__calls_per_minute,
    budget.coupon as budget__coupon__calls_per_minute,
    budget.transactions as budget__transactions__calls_per_minute,
    budget.dictionary as budget__dictionary__calls_per_minute,
    budget.orders as budget__orders__calls_per_minute,
    budget.paused as budget__paused_families
from (
    select
        count(*) as identities_overdue,
        coalesce(extract(epoch from now() - min(due_at)), 0) as longest_overdue_seconds
    from sync.roster
    where checked_at is not null and due_at <= now()
) as due
cross join (select count(*) as never_checked from sync.roster where checked_at is null) as fresh
cross join (
    select
        count(*) as operations,
        coalesce(extract(epoch from now() - min(coalesce(sent_at, planned_at))), 0) as oldest_seconds
    from wallet.unsettled_operation
    where settled_at is null and state in ('sent', 'unknown')
) as unknown
cross join (
    select
        count(*) as holds,
        coalesce(extract(epoch from now() - min(opened_at)), 0) as oldest_seconds
    from wallet.open_hold
) as held
cross join (
    select
        count(*) as findings,
        count(distinct hold_id) as dangling
    from wallet.finding
    where resolved_at is null
) as found
cross join (
    select
        coalesce(sum(calls_per_minute) filter (where family = 'customer'), 0) as customer,
        coalesce(sum(calls_per_minute) filter (where family = 'wallet'), 0) as wallet,
        coalesce(sum(calls_per_minute) filter (where family = 'coupon'), 0) as coupon,
        coalesce(sum(calls_per_minute) filter (where family = 'transactions'), 0) as transactions,
        coalesce(sum(calls_per_minute) filter (where family = 'dictionary'), 0) as dictionary,
        coalesce(sum(calls_per_minute) filter (where family = 'orders'), 0) as orders,
        count(*) filter (where paused_until > now()) as paused
    from sync.call_budget
) as budget;
