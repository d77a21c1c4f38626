-- Syrve refused a call: holds back every call of a family until the wait that it asked for is over, and makes a budget that finds its own limit smaller.
-- Calls that were under way when the first was refused say nothing new. The budget had been growing (see take.sql), so the last minute held fewer calls than
-- it says: what Syrve allows is the mean of that minute, and the budget goes just below it. Where the limit was met again soon, it lies well below.
with known as materialized (
    select
        budget.*,
        clock_timestamp() as asked_at
    from sync.call_budget as budget
    where budget.account = %(account)s and budget.family = %(family)s
    for no key update
),

judged as materialized (
    select
        known.account,
        known.family,
        known.asked_at,
        known.calls_per_minute,
        lowered.per_minute,
        known.cap_per_minute is not null and known.asked_at >= greatest(known.slowed_at + interval '10 seconds', known.paused_until) as is_news
    from known
    cross join
        lateral (
            select
                case
                    when known.hold_seconds = 0 then ln(1.5)
                    when known.calm_seconds > known.hold_seconds
                        then least(ln(1.5), 0.012 * power(2, least(10, (known.calm_seconds - known.hold_seconds) / 60)))
                    else 0.001
                end::double precision as per_minute
        ) as growth
    cross join lateral (
        select
            greatest(
                1,
                round(
                    (
                        0.975
                        * known.calls_per_minute::double precision
                        * (1 - exp(-growth.per_minute)) / growth.per_minute
                        * case when known.hold_seconds > 0 and known.calm_seconds < known.hold_seconds / 2 then 0.9 else 1 end
                    )::numeric,
                    3
                )
            ) as per_minute
    ) as lowered
),

moved as (
    insert into sync.call_budget_move (account, family, moved_at, from_per_minute, to_per_minute, reason)
    select
        account,
        family,
        asked_at,
        calls_per_minute,
        per_minute,
        'refused' as reason
    from judged
    where is_news
)

update sync.call_budget as budget
set
    paused_until = greatest(budget.paused_until, judged.asked_at + make_interval(secs => %(seconds)s)),
    calls_per_minute = case when judged.is_news then judged.per_minute else budget.calls_per_minute end,
    told_per_minute = case when judged.is_news then judged.per_minute else budget.told_per_minute end,
    slowed_at = case when judged.is_news then judged.asked_at else budget.slowed_at end,
    stepped_at = case when judged.is_news then judged.asked_at else budget.stepped_at end,
    taken = case when judged.is_news then 0 else budget.taken end,
    calm_seconds = case when judged.is_news then 0 else budget.calm_seconds end,
    -- Trying for more costs the wait and some refused calls, so it is done the more seldom the more it costs: refusals stay well below 1 %%.
    hold_seconds = case
        when judged.is_news then least(1800, greatest(300, 20 * %(seconds)s, 12000 / judged.per_minute))
        else budget.hold_seconds
    end
from judged
where budget.account = judged.account and budget.family = judged.family;
