-- Holds back every call of a family until the wait that Syrve asked for is over.
update sync.call_budget
set paused_until = greatest(paused_until, clock_timestamp() + make_interval(secs => %(seconds)s))
where account = %(account)s and family = %(family)s;
