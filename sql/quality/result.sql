-- Keeps what a check found; a check that is made again in the same run takes the place of the former one.
insert into sync.check_result as known (run_id, check_name, failures, examples, seconds)
values (%(run_id)s, %(check_name)s, %(failures)s, %(examples)s, %(seconds)s)
on conflict (run_id, check_name) do update
    set failures = excluded.failures, examples = excluded.examples, seconds = excluded.seconds, checked_at = now();
