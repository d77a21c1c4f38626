-- Takes the next permits of a budget. Each is a moment of its own on one line of moments that all takers share, so a minute never holds more
-- calls than the budget, however many take at once; the moments are 1 percent wider apart than they need be, for networks that deliver
-- calls closer together than they were sent.
--
-- A pull takes only what lies within the horizon, so that others never queue long behind it; while others have calls to make it also keeps
-- to its own share. A backfill is a pull that also keeps to its cap, and to a twentieth of the pulls' share while scheduled pulls are at work.
-- Where nothing is granted, wait_seconds says when to ask again.
with known as materialized (
    select
        account,
        family,
        next_bulk_at,
        next_backfill_at,
        paused_until,
        clock_timestamp() as asked_at,
        make_interval(secs => 60.6 / calls_per_minute) as spacing,
        make_interval(secs => 60.6 / (calls_per_minute * (1 - reserved_share))) as bulk_spacing,
        make_interval(
            secs => 60.6 / least(
                %(cap_per_minute)s::numeric,
                calls_per_minute
                * (1 - reserved_share)
                * case when pull_at > clock_timestamp() - interval '10 seconds' then 0.05 else 1 end
            )
        ) as backfill_spacing,
        make_interval(secs => %(horizon_seconds)s) as horizon,
        greatest(clock_timestamp(), next_at, paused_until) as start_at,
        priority_at > clock_timestamp() - interval '10 seconds' as others_are_at_work
    from sync.call_budget
    where account = %(account)s and family = %(family)s
    for no key update
),

judged as materialized (
    select
        known.*,
        case
            when known.paused_until > known.asked_at + known.horizon then known.paused_until - known.asked_at
            when not %(bulk)s then interval '0'
            when %(backfill)s and known.next_backfill_at > known.asked_at then known.next_backfill_at - known.asked_at
            when known.others_are_at_work and known.next_bulk_at > known.asked_at then known.next_bulk_at - known.asked_at
            when known.start_at > known.asked_at + known.horizon then known.start_at - known.asked_at - known.horizon
            else interval '0'
        end as refused_for
    from known
)

update sync.call_budget as budget
set
    next_at = case
        when judged.refused_for > interval '0' then budget.next_at
        else judged.start_at + %(permits)s * judged.spacing
    end,
    next_bulk_at = case
        when judged.refused_for > interval '0' or not %(bulk)s then budget.next_bulk_at
        else greatest(judged.asked_at, budget.next_bulk_at) + %(permits)s * judged.bulk_spacing
    end,
    next_backfill_at = case
        when judged.refused_for > interval '0' or not %(backfill)s then budget.next_backfill_at
        else greatest(judged.asked_at, budget.next_backfill_at) + %(permits)s * judged.backfill_spacing
    end,
    pull_at = case when %(bulk)s and not %(backfill)s then judged.asked_at else budget.pull_at end,
    priority_at = case when %(bulk)s then budget.priority_at else judged.asked_at end
from judged
where budget.account = judged.account and budget.family = judged.family
returning
    case when judged.refused_for > interval '0' then 0 else %(permits)s end as granted,
    extract(
        epoch from case when judged.refused_for > interval '0' then judged.refused_for else judged.start_at - judged.asked_at end
    )::double precision as wait_seconds,
    extract(epoch from judged.spacing)::double precision as spacing_seconds;
