-- Adds what happened to a hold of a question; adds nothing if another process has added something since.
insert into wallet.release_event (release_id, sequence, state, decided_by, operation_id, evidence, run_id)
values (
    %(release_id)s,
    %(after)s + 1,
    %(state)s,
    %(decided_by)s,
    %(operation_id)s,
    %(evidence)s::jsonb,
    %(run_id)s
)
on conflict do nothing
returning sequence;
