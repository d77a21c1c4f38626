-- What a run asks for: its digest, how many people, how many of them are erased already.
select
    privacy.digest_of(%(dag_id)s, %(run_id)s) as digest,
    count(*) as people,
    count(asked.erased_at) as erased
from privacy.erasure as asked
where asked.dag_id = %(dag_id)s and asked.run_id = %(run_id)s;
