-- Takes the next permits of a budget. Each is a moment of its own on one line of moments that all takers share, so a minute never holds more
-- calls than the budget, however many take at once; the moments are 1 percent wider apart than they need be, for networks that deliver
-- calls closer together than they were sent.
--
-- A pull takes only what lies within the horizon, so that others never queue long behind it; while others have calls to make it also keeps
-- to its own share, which is reckoned from then on: what it took while nobody else wanted it is not held against it. That share it also gets
-- where others queue beyond the horizon, a permit at a time: a large push keeps no pull waiting for its end. A backfill is a pull
-- that also keeps to its cap, if any, and to a twentieth of the pulls' share, in twentieths of a grant, while scheduled pulls are at work. Where
-- nothing is granted, wait_seconds says when to ask again, and is_paused that Syrve asked for the wait.
--
-- Moments that the server's clock left behind in the future, before it was set back, bind nobody for longer than a real queue could be.
with read as materialized (
    select
        budget.*,
        clock_timestamp() as asked_at,
        make_interval(secs => greatest(60, 20 * 60.6 / budget.calls_per_minute)) as longest_queue
    from sync.call_budget as budget
    where budget.account = %(account)s and budget.family = %(family)s
    for no key update
),

known as materialized (
    select
        account,
        family,
        calls_per_minute,
        least(next_bulk_at, asked_at + longest_queue) as next_bulk_at,
        least(
            next_backfill_at,
            asked_at + make_interval(secs => greatest(60, 20 * 60.6 / least(%(cap_per_minute)s::numeric, calls_per_minute * 0.05)))
        ) as next_backfill_at,
        paused_until,
        asked_at,
        make_interval(secs => 60.6 / calls_per_minute) as spacing,
        make_interval(secs => 60.6 / (calls_per_minute * (1 - reserved_share))) as bulk_spacing,
        make_interval(secs => %(horizon_seconds)s) as horizon,
        greatest(asked_at, least(next_at, asked_at + longest_queue), paused_until) as start_at,
        priority_at between asked_at - interval '10 seconds' and asked_at + interval '10 seconds' as others_are_at_work,
        case
            when %(backfill)s and pull_at between asked_at - interval '10 seconds' and asked_at + interval '10 seconds'
                then 0.05 * (1 - reserved_share)
            else 1
        end as part
    from read
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
