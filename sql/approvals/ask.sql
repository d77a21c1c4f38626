-- Writes a question down, once per run and content.
insert into sync.approval (kind, subject, digest, rows, amount, dag_id, run_id, requested_by, answer_until)
values (
    %(kind)s,
    %(subject)s,
    %(digest)s,
    %(rows)s,
    %(amount)s,
    %(dag_id)s,
    %(run_id)s,
    %(requested_by)s,
    clock_timestamp() + make_interval(secs => %(answer_seconds)s::double precision)
)
on conflict (kind, dag_id, run_id, subject, digest) do nothing;
