-- Takes the next permits of a budget. Each is a separate moment on one line of moments that all takers share, so a minute never holds more
-- calls than the budget, however many take at once; the moments are 1 percent wider apart than they need be, for networks that deliver
-- calls closer together than they were sent.
--
-- A pull takes only what lies within the horizon, so that others never queue long behind it; while others have calls to make it also keeps
-- to its own share, which is reckoned from then on: what it took while no other taker wanted it is not held against it. That share it also gets
-- where others queue beyond the horizon, a permit at a time: a large push keeps no pull waiting for its end. A backfill is a pull
-- that also keeps to its cap, if any, and to a twentieth of the pulls' share, in twentieths of a grant, while scheduled pulls are at work. Where
-- nothing is granted, wait_seconds says when to ask again, and is_paused that Syrve asked for the wait.
--
-- A budget that finds its own limit (cap_per_minute is set) is looked at every ten seconds. While what it gives is used up and no call is refused it grows:
-- by half each minute until the first refusal ever, later only after hold_seconds without one, slowly at first and ever faster. Where answers take several
-- times as long as usual it gets smaller. The usual time itself follows slowly, so that a service which is slow for its own reasons is not waited for.
--
-- Moments that the server's clock left behind in the future, before it was set back, delay no taker for longer than a real queue could be.
with read as materialized (
    select
        budget.*,
        clock_timestamp() as asked_at,
        make_interval(secs => greatest(60, 20 * 60.6 / budget.calls_per_minute)) as longest_queue
    from sync.call_budget as budget
    where budget.account = %(account)s and budget.family = %(family)s
    for no key update
),

timed as materialized (
    select
        read.*,
        -- Not the difference of the two: before Postgres 17 nothing can be subtracted that is infinite, as in a budget that was never used.
        (extract(epoch from read.asked_at) - extract(epoch from read.stepped_at))::double precision as since_step,
        read.cap_per_minute is not null and read.asked_at >= read.stepped_at + interval '10 seconds' as is_due
    from read
),

stepping as materialized (
    select
        timed.*,
        least(60, timed.since_step) as elapsed,
        timed.is_due and timed.taken * 60.6 >= 0.7 * timed.calls_per_minute * timed.since_step as is_used,
        timed.is_due
        and %(latency_seconds)s::double precision > 0.25 + 3 * timed.latency_floor_seconds
        and timed.asked_at >= timed.slowed_at + interval '30 seconds' as is_slow,
        (timed.calm_seconds + least(60, timed.since_step) / 2 - timed.hold_seconds) / 60 as growing_minutes
    from timed
),

stepped as materialized (
    select
        stepping.*,
        next.per_minute,
        case
            when stepping.is_slow then 'slow'
            when next.per_minute >= 1.05 * coalesce(stepping.told_per_minute, 0) then 'grown'
        end as reason
    from stepping
    cross join lateral (
        select
            case
                when stepping.is_slow then greatest(1, round(0.85 * stepping.calls_per_minute, 3))
                when not stepping.is_used then stepping.calls_per_minute
                when stepping.hold_seconds > 0 and stepping.growing_minutes <= 0 then stepping.calls_per_minute
                else
                    least(
                        stepping.cap_per_minute,
                        round(
                            stepping.calls_per_minute
                            * exp(
                                case
                                    when stepping.hold_seconds = 0 then ln(1.5)
                                    else least(ln(1.5), 0.012 * power(2, least(10, stepping.growing_minutes)))
                                end
                                * stepping.elapsed
                                / 60
                            )::numeric,
                            3
                        )
                    )
            end as per_minute
    ) as next
),

moved as (
    insert into sync.call_budget_move (account, family, moved_at, from_per_minute, to_per_minute, reason)
    select
        account,
        family,
        asked_at,
        coalesce(told_per_minute, calls_per_minute) as from_per_minute,
        per_minute,
        reason
    from stepped
    where is_due and reason is not null
),

known as materialized (
    select
        account,
        family,
        per_minute as calls_per_minute,
        is_due,
        is_used,
        is_slow,
        elapsed,
        reason,
        least(next_bulk_at, asked_at + longest_queue) as next_bulk_at,
        least(
            next_backfill_at,
            asked_at + make_interval(secs => greatest(60, 20 * 60.6 / least(%(cap_per_minute)s::numeric, per_minute * 0.05)))
        ) as next_backfill_at,
        paused_until,
        asked_at,
        make_interval(secs => 60.6 / per_minute) as spacing,
        make_interval(secs => 60.6 / (per_minute * (1 - reserved_share))) as bulk_spacing,
        make_interval(secs => %(horizon_seconds)s) as horizon,
        greatest(asked_at, least(next_at, asked_at + longest_queue), paused_until) as start_at,
        priority_at between asked_at - interval '10 seconds' and asked_at + interval '10 seconds' as others_are_at_work,
        case
            when %(backfill)s and pull_at between asked_at - interval '10 seconds' and asked_at + interval '10 seconds'
                then 0.05 * (1 - reserved_share)
            else 1
        end as part
    from stepped
),

held_back as (
    select
        known.*,
        %(backfill)s and (known.part < 1 or %(cap_per_minute)s::numeric is not null) as is_held_back
    from known
),

judged as materialized (
    select
        known.*,
        case
            when %(bulk)s and known.start_at > known.asked_at + known.horizon then 1
            else ceil(%(permits)s * known.part)::integer
        end as permits,
        make_interval(secs => 60.6 / least(%(cap_per_minute)s::numeric, known.calls_per_minute * known.part)) as backfill_spacing,
        case
            when known.paused_until > known.asked_at + known.horizon then known.paused_until - known.asked_at
            when not %(bulk)s then interval '0'
            when known.is_held_back and known.next_backfill_at > known.asked_at then known.next_backfill_at - known.asked_at
            when known.others_are_at_work and known.next_bulk_at > known.asked_at then known.next_bulk_at - known.asked_at
            when known.others_are_at_work and not %(backfill)s then interval '0'
            when known.start_at > known.asked_at + known.horizon then known.start_at - known.asked_at - known.horizon
            else interval '0'
        end as refused_for
    from held_back as known
)

update sync.call_budget as budget
set
    calls_per_minute = judged.calls_per_minute,
    told_per_minute = case when judged.is_due and judged.reason is not null then judged.calls_per_minute else budget.told_per_minute end,
    taken = case when judged.is_due then 0 else budget.taken end + case when judged.refused_for > interval '0' then 0 else judged.permits end,
    stepped_at = case when judged.is_due then judged.asked_at else budget.stepped_at end,
    slowed_at = case when judged.is_slow then judged.asked_at else budget.slowed_at end,
    calm_seconds = case
        when judged.is_slow then 0
        when judged.is_used then budget.calm_seconds + judged.elapsed
        else budget.calm_seconds
    end,
    hold_seconds = case when judged.is_slow then greatest(300, budget.hold_seconds) else budget.hold_seconds end,
    latency_floor_seconds = case
        when judged.is_due
            then coalesce(least(1.01 * budget.latency_floor_seconds, %(latency_seconds)s), budget.latency_floor_seconds)
        else budget.latency_floor_seconds
    end,
    next_at = case
        when judged.refused_for > interval '0' then budget.next_at
        else judged.start_at + judged.permits * judged.spacing
    end,
    next_bulk_at = case
        when judged.refused_for > interval '0' or not %(bulk)s then budget.next_bulk_at
        when not judged.others_are_at_work then judged.asked_at + judged.permits * judged.bulk_spacing
        else greatest(judged.asked_at, judged.next_bulk_at) + judged.permits * judged.bulk_spacing
    end,
    next_backfill_at = case
        when judged.refused_for > interval '0' or not judged.is_held_back then budget.next_backfill_at
        else greatest(judged.asked_at, judged.next_backfill_at) + judged.permits * judged.backfill_spacing
    end,
    pull_at = case when %(bulk)s and not %(backfill)s then judged.asked_at else budget.pull_at end,
    priority_at = case when %(bulk)s then budget.priority_at else judged.asked_at end
from judged
where budget.account = judged.account and budget.family = judged.family
returning
    case when judged.refused_for > interval '0' then 0 else judged.permits end as granted,
    extract(
        epoch from case when judged.refused_for > interval '0' then judged.refused_for else judged.start_at - judged.asked_at end
    )::double precision as wait_seconds,
    extract(epoch from judged.spacing)::double precision as spacing_seconds,
    coalesce(judged.paused_until > judged.asked_at + judged.horizon, false) as is_paused;
