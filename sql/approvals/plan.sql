-- Records what a run has planned, once: only about this may it ask a person.
insert into sync.planned_content (kind, dag_id, run_id, subject, digest)
values (%(kind)s, %(dag_id)s, %(run_id)s, %(subject)s, %(digest)s)
on conflict (kind, dag_id, run_id, subject, digest) do nothing;
