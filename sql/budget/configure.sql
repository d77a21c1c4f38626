-- Makes the budget of an account and family, or takes over a changed setting of the connection; a change made here by hand stays until then.
insert into sync.call_budget as known (account, family, calls_per_minute, configured_per_minute)
values (%(account)s, %(family)s, %(per_minute)s, %(per_minute)s)
on conflict (account, family) do update
    set calls_per_minute = excluded.calls_per_minute, configured_per_minute = excluded.configured_per_minute
    where known.configured_per_minute <> excluded.configured_per_minute;
