-- Decides a breaker as its run's approval says; returns how many identities are due.
select sync.decide_breaker(%(breaker_id)s, %(decision)s, %(as_of)s::timestamptz, %(dag_id)s, %(run_id)s) as due;
