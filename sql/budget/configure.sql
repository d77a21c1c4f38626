-- Makes the budget of an account and family, or takes over a changed setting of the connection; a change made here by hand stays until then. One that
-- finds its own limit begins at start_per_minute, or where it was, and keeps what it has found from run to run.
with known as (
    insert into sync.call_budget as known (account, family, calls_per_minute, configured_per_minute, cap_per_minute, told_per_minute)
    values (
        %(account)s,
        %(family)s,
        case when %(is_auto)s then least(%(per_minute)s, %(start_per_minute)s) else %(per_minute)s end,
        %(per_minute)s,
        case when %(is_auto)s then %(per_minute)s::numeric end,
        case when %(is_auto)s then least(%(per_minute)s, %(start_per_minute)s)::numeric end
    )
    on conflict (account, family) do update
        set
            calls_per_minute = case
                when excluded.cap_per_minute is null then excluded.calls_per_minute
                else least(known.calls_per_minute, excluded.cap_per_minute)
            end,
            configured_per_minute = excluded.configured_per_minute,
            cap_per_minute = excluded.cap_per_minute,
            told_per_minute = case
                when excluded.cap_per_minute is not null then least(known.calls_per_minute, excluded.cap_per_minute)
            end
        where (known.configured_per_minute, known.cap_per_minute) is distinct from (excluded.configured_per_minute, excluded.cap_per_minute)
    returning known.*
)

insert into sync.call_budget_move (account, family, moved_at, from_per_minute, to_per_minute, reason)
select
    account,
    family,
    clock_timestamp() as moved_at,
    calls_per_minute as from_per_minute,
    calls_per_minute as to_per_minute,
    'started' as reason
from known
where cap_per_minute is not null;
