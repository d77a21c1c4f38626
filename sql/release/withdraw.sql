-- Takes back what this run asked before and was not answered, because the run asks again.
insert into wallet.release_event (release_id, sequence, state, run_id)
select
    asked.release_id,
    asked.sequence + 1 as sequence,
    'withdrawn' as state,
    asked.run_id
from wallet.release_state as asked
where asked.run_id = %(run_id)s and asked.state = 'asked'
on conflict do nothing;
